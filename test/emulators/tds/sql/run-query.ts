/** SELECT: to the client, into variables, into a new table. */

import { sqlError } from "../values/errors.ts";
import { partsOf } from "../values/parts.ts";
import type { SqlValue } from "../values/type.ts";
import type { Query, Statement } from "./ast.ts";
import type { BoundQuery } from "./bound.ts";
import { quoteName } from "./catalog.ts";
import { guarded, queryOf, type Run, SELECT_COMMAND } from "./run.ts";
import { createTable } from "./run-define.ts";
import { fromSqlite } from "./sqlite-errors.ts";
import { beginRead, write } from "./transactions.ts";

export async function runQuery(run: Run, query: Query): Promise<void> {
  const { items, into } = query.first;
  if (items.some((item) => item.is === "assign")) return assignVariables(run, query);
  if (into !== null) return selectInto(run, query, into);
  const { state, sink } = run;
  const { binding, query: bound } = queryOf(state, query);
  beginRead(state);
  const statement = guarded(state, () => state.sqlite.prepare(inParts(bound)));
  statement.setReturnArrays(true);
  sink.columns(bound.columns);
  // SET FMTONLY ON: the columns and no rows, which is how bcp learns what a table is made of.
  const onlyFormat = state.options.get("FMTONLY") === "ON";
  const rows = onlyFormat ? [] : (statement.iterate(...binding.args) as unknown as Iterable<SqlValue[]>);
  let count: number;
  try {
    count = await sink.rows(rows, bound.columns);
  } catch (error) {
    throw fromSqlite(error, state);
  }
  state.rowCount = count;
  sink.done(count, SELECT_COMMAND);
}

/** The query with its 64-bit columns in two parts each. */
export function inParts(bound: BoundQuery): string {
  const parts = bound.columns.map((column, at) => partsOf(column.type, `c${at}`));
  if (parts.every((part) => part.length === 1)) return bound.sql;
  return `SELECT ${parts.flat().join(",")} FROM (${bound.sql})`;
}

// SELECT @a = …: the last row counts.
async function assignVariables(run: Run, query: Query): Promise<void> {
  const { state, sink } = run;
  const names: string[] = [];
  const items = query.first.items.map((item) => {
    if (item.is !== "assign") throw sqlError(102, "@");
    names.push(item.variable);
    const variable = state.variables.get(item.variable.toLowerCase());
    if (variable === undefined) throw sqlError(137, item.variable);
    return {
      is: "value",
      value: { is: "cast", of: item.value, to: variable.type, style: null, safe: false },
      alias: null,
    } as const;
  });
  const { binding, query: bound } = queryOf(state, { ...query, first: { ...query.first, items } });
  beginRead(state);
  const rows = guarded(state, () => {
    const statement = state.sqlite.prepare(bound.sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement.all(...binding.args) as unknown as SqlValue[][];
  });
  const last = rows.at(-1);
  if (last !== undefined) {
    names.forEach((name, at) => {
      const variable = state.variables.get(name.toLowerCase());
      if (variable !== undefined) variable.value = last[at] ?? null;
    });
  }
  state.rowCount = rows.length;
  sink.done(rows.length, SELECT_COMMAND);
}

async function selectInto(run: Run, query: Query, into: readonly string[]): Promise<void> {
  const { state, sink } = run;
  const plain: Query = { ...query, first: { ...query.first, into: null } };
  const { binding, query: bound } = queryOf(state, plain);
  const columns = bound.columns.map(({ name, type, nullable }) => ({
    name,
    type: type.name === "rowversion" ? { ...type, name: "binary" as const, length: 8 } : type,
    nullable,
    identity: null,
    byDefault: null,
  }));
  const text = "";
  const statement: Statement & { is: "createTable" } = {
    is: "createTable",
    table: into,
    columns,
    keys: [],
    line: 1,
    text,
  };
  const count = await write(state, run.signal, () => {
    const table = createTable(state, statement);
    const names = table.columns.map((column) => quoteName(column.name)).join(",");
    return state.sqlite.prepare(`INSERT INTO ${table.sqlite} (${names}) ${bound.sql}`).run(...binding.args).changes;
  });
  state.rowCount = Number(count);
  sink.done(state.rowCount, SELECT_COMMAND);
}
