/** What every statement's execution is given, and the ways in which all of them touch SQLite. */
import type { SqlError } from "../values/errors.ts";
import type { SqlType, SqlValue } from "../values/type.ts";
import type { Expression, Query } from "./ast.ts";
import { bindCondition, bindValue } from "./bind-expression.ts";
import { bindQuery } from "./bind-query.ts";
import { type Binding, type Bound, converted, type ResultColumn } from "./bound.ts";
import { fromSqlite } from "./sqlite-errors.ts";
import type { State } from "./state.ts";
import { beginRead } from "./transactions.ts";

/** Where results go: to a client, or into an array. */
export interface Sink {
  columns(columns: readonly ResultColumn[]): void;
  /** Takes rows whose values are in parts (`partsOf`); resolves with their number when they are sent. */
  rows(rows: Iterable<SqlValue[]>, columns: readonly ResultColumn[]): Promise<number>;
  /** The end of a statement; `count` is null when it has none. */
  done(count: number | null, command: number): void;
  info(number: number, text: string, line: number): void;
  databaseChanged(database: string): void;
  transactionBegun(descriptor: bigint): void;
  transactionEnded(committed: boolean, descriptor: bigint): void;
}

export interface Run {
  readonly state: State;
  readonly sink: Sink;
  readonly signal: AbortSignal;
}

/** Told of each error that a client must hear of, in order. */
export type OnError = (error: SqlError) => void;

export const SELECT_COMMAND = 0xc1;
export const INSERT_COMMAND = 0xc3;
export const DELETE_COMMAND = 0xc4;
export const UPDATE_COMMAND = 0xc5;

export function newBinding(state: State): Binding {
  return { state, args: [], aliases: 0, bare: null, aggregates: 0, common: new Map(), query: bindQuery };
}

/** The value of an expression outside a query. */
export function evaluate(state: State, expression: Expression): Bound & { readonly value: SqlValue } {
  const binding = newBinding(state);
  const bound = bindValue(binding, null, expression);
  if (bound.constant !== undefined) return { ...bound, value: bound.constant };
  return { ...bound, value: scalar(state, binding, bound.sql) };
}

/** An expression converted to a type, as SET and DECLARE do. */
export function evaluateAs(state: State, expression: Expression, type: SqlType): SqlValue {
  const binding = newBinding(state);
  const bound = converted(binding, bindValue(binding, null, expression), type);
  return bound.constant !== undefined ? bound.constant : scalar(state, binding, bound.sql);
}

export function holds(state: State, expression: Expression): boolean {
  const binding = newBinding(state);
  const sql = bindCondition(binding, null, expression);
  return scalar(state, binding, `CASE WHEN ${sql} THEN 1 ELSE 0 END`) === 1n;
}

function scalar(state: State, binding: Binding, sql: string): SqlValue {
  beginRead(state);
  return guarded(state, () => {
    const statement = state.sqlite.prepare(`SELECT ${sql} AS v`);
    statement.setReadBigInts(true);
    return (statement.get(...binding.args) as { v: SqlValue }).v;
  });
}

/** Runs something on SQLite; its errors come out as SQL Server's. */
export function guarded<T>(state: State, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw fromSqlite(error, state);
  }
}

export const queryOf = (state: State, query: Query) => {
  const binding = newBinding(state);
  return { binding, query: bindQuery(binding, query, null) };
};
