/** CREATE, DROP and INSERT BULK. */
import { sqlType } from "../values/type.ts";
import type { ColumnDefinition, Expression, ForeignKeyDefinition, KeyDefinition, StatementBody } from "./ast.ts";
import {
  type Cursor,
  dataType,
  dottedName,
  expect,
  isNext,
  list,
  name,
  next,
  parenthesised,
  peek,
  syntaxError,
  take,
  withCollation,
} from "./cursor.ts";
import { parseExpression } from "./parse-expression.ts";
import { parseCreatePrincipal, parseDropPrincipal } from "./parse-principal.ts";
import { parseQuery } from "./parse-query.ts";

export function parseCreate(cursor: Cursor): StatementBody {
  if (take(cursor, "TABLE")) return createTable(cursor);
  if (take(cursor, "EXTERNAL", "TABLE")) return createExternalTable(cursor);
  if (take(cursor, "SCHEMA")) {
    const schema = name(cursor);
    if (take(cursor, "AUTHORIZATION")) name(cursor);
    return { is: "createSchema", name: schema };
  }
  if (take(cursor, "VIEW")) return createView(cursor);
  const principal = parseCreatePrincipal(cursor);
  if (principal !== null) return principal;
  const unique = take(cursor, "UNIQUE");
  if (!take(cursor, "CLUSTERED")) take(cursor, "NONCLUSTERED");
  expect(cursor, "INDEX");
  const index = name(cursor);
  expect(cursor, "ON");
  const table = dottedName(cursor);
  return { is: "createIndex", name: index, table, unique, columns: keyColumns(cursor) };
}

function createView(cursor: Cursor): StatementBody {
  const view = dottedName(cursor);
  const columns = isNext(cursor, "(") ? parenthesised(cursor, (inner) => list(inner, name)) : null;
  expect(cursor, "AS");
  const from = peek(cursor).from;
  const query = parseQuery(cursor);
  const text = cursor.text.slice(from, cursor.tokens[cursor.at - 1]?.to);
  return { is: "createView", view, columns, query, text };
}

/** `CREATE EXTERNAL TABLE t (…) WITH (LOCATION = '…', DATA_SOURCE = …)`: the options are read over. */
function createExternalTable(cursor: Cursor): StatementBody {
  const table = createTable(cursor);
  expect(cursor, "WITH");
  parenthesised(cursor, (inner) =>
    list(inner, (option) => {
      name(option);
      expect(option, "=");
      return next(option);
    }),
  );
  return { ...table, external: true };
}

function createTable(cursor: Cursor): StatementBody & { readonly is: "createTable" } {
  const table = dottedName(cursor);
  const columns: ColumnDefinition[] = [];
  const keys: KeyDefinition[] = [];
  const foreignKeys: ForeignKeyDefinition[] = [];
  expect(cursor, "(");
  do {
    if (isNext(cursor, ")")) break;
    if (take(cursor, "FOREIGN", "KEY")) {
      foreignKeys.push(
        references(
          cursor,
          parenthesised(cursor, (inner) => list(inner, name)),
        ),
      );
      continue;
    }
    const key = tableKey(cursor);
    if (key !== null) keys.push(key);
    else columns.push(columnDefinition(cursor, keys, foreignKeys));
  } while (take(cursor, ","));
  expect(cursor, ")");
  return { is: "createTable", table, columns, keys, foreignKeys };
}

function references(cursor: Cursor, columns: readonly string[]): ForeignKeyDefinition {
  expect(cursor, "REFERENCES");
  const table = dottedName(cursor);
  return { columns, table, references: parenthesised(cursor, (inner) => list(inner, name)) };
}

/** A key of a table, where one is next. */
export function tableKey(cursor: Cursor): KeyDefinition | null {
  const called = take(cursor, "CONSTRAINT") ? name(cursor) : null;
  const primary = take(cursor, "PRIMARY", "KEY");
  if (!primary && !take(cursor, "UNIQUE")) {
    if (called !== null) throw syntaxError(peek(cursor));
    return null;
  }
  if (!take(cursor, "CLUSTERED")) take(cursor, "NONCLUSTERED");
  return { name: called, primary, columns: keyColumns(cursor) };
}

const keyColumns = (cursor: Cursor): { name: string; descending: boolean }[] =>
  parenthesised(cursor, (inner) =>
    list(inner, (column) => {
      const called = name(column);
      const descending = take(column, "DESC");
      if (!descending) take(column, "ASC");
      return { name: called, descending };
    }),
  );

function columnDefinition(
  cursor: Cursor,
  keys: KeyDefinition[],
  foreignKeys: ForeignKeyDefinition[],
): ColumnDefinition {
  const called = name(cursor);
  // `Version timestamp` may be written as `timestamp` alone.
  const bare = /^timestamp$/i.test(called) && (isNext(cursor, ",") || isNext(cursor, ")"));
  const type = bare ? sqlType("rowversion") : withCollation(cursor, dataType(cursor, 1));
  let nullable: boolean | null = null;
  let identity: ColumnDefinition["identity"] = null;
  let byDefault: Expression | null = null;
  for (;;) {
    const said = nullability(cursor);
    if (said !== null) nullable = said;
    else if (take(cursor, "IDENTITY")) identity = identitySpan(cursor);
    else if (isNext(cursor, "REFERENCES")) foreignKeys.push(references(cursor, [called]));
    else if (!["CONSTRAINT", "DEFAULT", "PRIMARY", "UNIQUE"].some((word) => isNext(cursor, word))) {
      return { name: called, type, nullable, identity, byDefault };
    } else {
      const constraint = take(cursor, "CONSTRAINT") ? name(cursor) : null;
      if (take(cursor, "DEFAULT")) byDefault = parseExpression(cursor);
      else keys.push(columnKey(cursor, called, constraint));
    }
  }
}

/** `NOT NULL` or `NULL`, if it is next. */
function nullability(cursor: Cursor): boolean | null {
  if (take(cursor, "NOT", "NULL")) return false;
  return take(cursor, "NULL") ? true : null;
}

function columnKey(cursor: Cursor, column: string, constraint: string | null): KeyDefinition {
  const primary = take(cursor, "PRIMARY", "KEY");
  if (!primary) expect(cursor, "UNIQUE");
  if (!take(cursor, "CLUSTERED")) take(cursor, "NONCLUSTERED");
  return { name: constraint, primary, columns: [{ name: column, descending: false }] };
}

function identitySpan(cursor: Cursor): { seed: bigint; step: bigint } {
  if (!take(cursor, "(")) return { seed: 1n, step: 1n };
  const seed = wholeNumber(cursor);
  expect(cursor, ",");
  const step = wholeNumber(cursor);
  expect(cursor, ")");
  return { seed, step };
}

function wholeNumber(cursor: Cursor): bigint {
  const negative = take(cursor, "-");
  const token = next(cursor);
  if (token.kind !== "number" || !/^\d+$/.test(token.text)) throw syntaxError(token);
  return negative ? -BigInt(token.text) : BigInt(token.text);
}

export function parseDrop(cursor: Cursor): StatementBody {
  const principal = parseDropPrincipal(cursor);
  if (principal !== null) return principal;
  const token = next(cursor);
  const kind = token.text.toUpperCase();
  if (kind !== "TABLE" && kind !== "VIEW" && kind !== "SCHEMA" && kind !== "INDEX") throw syntaxError(token);
  const ifExists = take(cursor, "IF", "EXISTS");
  const names = list(cursor, dottedName);
  const on = kind === "INDEX" && take(cursor, "ON") ? dottedName(cursor) : null;
  return { is: "drop", kind, names, ifExists, on };
}

/** `INSERT BULK t ([a] int, …) WITH (…)`, as drivers announce a bulk load [MS-TDS 2.2.6.1]. */
export function parseInsertBulk(cursor: Cursor): StatementBody {
  const table = dottedName(cursor);
  const columns = parenthesised(cursor, (inner) =>
    list(inner, (column) => {
      const called = name(column);
      return { name: called, type: withCollation(column, dataType(column, 1)) };
    }),
  );
  let keepNulls = false;
  if (take(cursor, "WITH")) {
    parenthesised(cursor, (inner) =>
      list(inner, (option) => {
        const { text } = next(option);
        keepNulls ||= /^keep_nulls$/i.test(text);
        if (isNext(option, "(")) keyColumns(option);
        else if (take(option, "=")) next(option);
      }),
    );
  }
  return { is: "insertBulk", table, columns, keepNulls };
}
