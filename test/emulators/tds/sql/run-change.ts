/** INSERT, UPDATE, DELETE and TRUNCATE. */
import { assign } from "../values/convert.ts";
import { sqlError } from "../values/errors.ts";
import { partsOf } from "../values/parts.ts";
import { describe, type SqlValue } from "../values/type.ts";
import type { Expression, SelectItem, Source, Statement } from "./ast.ts";
import { bindCondition, bindValue } from "./bind-expression.ts";
import { bindSource, requireTable, tableColumns } from "./bind-source.ts";
import { type Binding, type Bound, constant, keptAlike, literalSql, type Scope } from "./bound.ts";
import { type Column, columnOf, isTemporary, primaryKey, quoteName, requireColumn, type Table } from "./catalog.ts";
import { truncated } from "./change-tracking.ts";
import { isAdmin, may } from "./rights.ts";
import { DELETE_COMMAND, INSERT_COMMAND, newBinding, type Run, SELECT_COMMAND, UPDATE_COMMAND } from "./run.ts";
import { typeIndex } from "./runtime.ts";
import type { State } from "./state.ts";
import { createTableSql } from "./table-sql.ts";
import { write } from "./transactions.ts";

/** Throws error 229 when the login may not change the table. */
export function requireChange(state: State, table: Table, act: "INSERT" | "UPDATE" | "DELETE" | "ALTER"): void {
  if (
    act === "ALTER" ? isAdmin(state.login) || isTemporary(table.name) : may(state.login, act, table.schema, table.name)
  )
    return;
  throw sqlError(229, act, table.name, state.store.database, table.schema);
}

/** The bound value in the form of the column. Throws error 2628 when it is too long. */
export function assigned(binding: Binding, bound: Bound, table: Table, column: Column): string {
  if (bound.constant === null && !column.nullable) throw missing(binding.state, table, column);
  if (bound.type === null) return "NULL";
  const at = `${table.schema}.${table.name}`;
  if (keptAlike(bound.type, column.type)) return required(bound, table, column);
  if (bound.constant !== undefined) {
    return literalSql(binding, assign(bound.constant, bound.type, column.type, at, column.name));
  }
  const names = [at, column.name].map((name) => `'${name.replaceAll("'", "''")}'`).join(",");
  return `assign(${bound.sql},${typeIndex(bound.type)},${typeIndex(column.type)},${names})`;
}

const missing = (state: State, table: Table, column: Column): Error =>
  sqlError(515, column.name, `${state.store.database}.${table.schema}.${table.name}`);

// SQLite gives a NULL in its rowid the next free number, so the key says no itself.
function required(bound: Bound, table: Table, column: Column): string {
  const inKey = primaryKey(table)?.columns.some((key) => key.name.toLowerCase() === column.name.toLowerCase());
  if (!inKey || !bound.nullable || bound.constant !== undefined) return bound.sql;
  return `required(${bound.sql},'${column.name.replaceAll("'", "''")}','${table.name.replaceAll("'", "''")}')`;
}

/** The columns that an INSERT fills by itself: defaults, identity, rowversion. */
export function filledColumns(
  binding: Binding,
  table: Table,
  given: ReadonlySet<string>,
): { column: Column; sql: string }[] {
  return table.columns
    .filter((column) => !given.has(column.name.toLowerCase()))
    .map((column) => ({ column, sql: defaultSql(binding, table, column) }));
}

function defaultSql(binding: Binding, table: Table, column: Column): string {
  if (column.type.name === "rowversion") return "next_version()";
  if (column.identity !== null) return `next_identity(${table.objectId},${column.identity.step})`;
  if (column.byDefault === null && !column.nullable) throw missing(binding.state, table, column);
  if (column.byDefault === null) return "NULL";
  return assigned(binding, bindValue(binding, null, column.byDefault), table, column);
}

export async function runInsert(run: Run, statement: Statement & { is: "insert" }): Promise<void> {
  const { state } = run;
  const table = requireTable(state, statement.table);
  requireChange(state, table, "INSERT");
  const binding = newBinding(state);
  const columns = insertColumns(state, table, statement.columns);
  const filled = filledColumns(binding, table, new Set(columns.map((column) => column.name.toLowerCase())));
  const source = insertSource(binding, table, columns, filled, statement.rows);
  const names = [...columns, ...filled.map(({ column }) => column)].map((column) => quoteName(column.name));
  const sql = `INSERT INTO ${table.sqlite} (${names.join(",")}) ${source}`;
  await change(run, binding, sql, table, statement.output, "inserted", INSERT_COMMAND);
}

function insertColumns(state: State, table: Table, names: readonly string[] | null): Column[] {
  const identityGiven = state.identityInsert === `${table.schema}.${table.name}`.toLowerCase();
  if (names === null)
    return table.columns.filter((column) => column.identity === null && column.type.name !== "rowversion");
  return names.map((name) => {
    const column = requireColumn(table, name);
    if (column.type.name === "rowversion") throw sqlError(273);
    if (column.identity !== null && !identityGiven) throw sqlError(544, table.name);
    return column;
  });
}

function insertSource(
  binding: Binding,
  table: Table,
  columns: readonly Column[],
  filled: readonly { sql: string }[],
  rows: (Statement & { is: "insert" })["rows"],
): string {
  const rest = filled.map(({ sql }) => sql);
  if (rows === null)
    return `VALUES (${[...columns.map((column) => defaultSql(binding, table, column)), ...rest].join(",")})`;
  if ("is" in rows) throw sqlError(102, "EXEC");
  if ("first" in rows) {
    const query = binding.query(binding, rows, null);
    if (query.columns.length !== columns.length) throw sqlError(213);
    const values = columns.map((column, at) => {
      const bound: Bound = { sql: `c${at}`, type: query.columns[at]?.type ?? null, nullable: true };
      return assigned(binding, bound, table, column);
    });
    // Without this WHERE SQLite would read what follows as an upsert clause.
    return `SELECT ${[...values, ...rest].join(",")} FROM (${query.sql}) WHERE true`;
  }
  const lines = rows.map((row) => {
    if (row.length !== columns.length) throw sqlError(213);
    const values = row.map((value, at) => {
      const column = columns[at] as Column;
      return value === "default"
        ? defaultSql(binding, table, column)
        : assigned(binding, bindValue(binding, null, value), table, column);
    });
    return `(${[...values, ...rest].join(",")})`;
  });
  return `VALUES ${lines.join(",")}`;
}

async function change(
  run: Run,
  binding: Binding,
  sql: string,
  table: Table,
  output: readonly SelectItem[],
  pseudo: string,
  command: number,
): Promise<void> {
  const { state, sink } = run;
  if (output.length === 0) {
    const { changes } = await write(state, run.signal, () => state.sqlite.prepare(sql).run(...binding.args));
    state.rowCount = Number(changes);
    sink.done(state.rowCount, command);
    return;
  }
  const columns = output.flatMap((item) => outputItem(table, item, pseudo));
  const parts = columns.flatMap(({ column, type }) => partsOf(type, quoteName(column)));
  const rows = await write(state, run.signal, () => {
    const statement = state.sqlite.prepare(`${sql} RETURNING ${parts.join(",")}`);
    statement.setReturnArrays(true);
    return statement.all(...binding.args) as unknown as SqlValue[][];
  });
  sink.columns(columns);
  state.rowCount = await sink.rows(rows, columns);
  sink.done(state.rowCount, SELECT_COMMAND);
}

// OUTPUT inserted.Id, deleted.*: plain columns only.
function outputItem(table: Table, item: SelectItem, pseudo: string) {
  const result = (column: Column, name = column.name) => ({
    column: column.name,
    name,
    type: column.type,
    nullable: column.nullable,
    identity: column.identity !== null,
  });
  if (item.is === "star" && item.of?.toLowerCase() === pseudo) return table.columns.map((column) => result(column));
  if (item.is !== "value" || item.value.is !== "column" || item.value.parts[0]?.toLowerCase() !== pseudo) {
    throw sqlError(102, "OUTPUT");
  }
  const column = requireColumn(table, item.value.parts.at(-1) ?? "");
  return [result(column, item.alias ?? column.name)];
}

interface Target {
  readonly table: Table;
  readonly scope: Scope;
  /** FROM and WHERE of the rows to change. */
  readonly rows: string;
  /** What identifies a row: its rowid, or its primary key. */
  readonly key: readonly string[];
  readonly alias: string;
}

function bindTarget(binding: Binding, statement: Statement & { is: "update" | "delete" }): Target {
  const { state } = binding;
  const scope: Scope = { parent: null, sources: [] };
  const name = statement.target.at(-1) ?? "";
  const named = statement.from === null ? null : findTarget(statement.from, name);
  const table = requireTable(state, named ?? statement.target);
  requireChange(state, table, statement.is === "update" ? "UPDATE" : "DELETE");
  if (table.view !== null) throw sqlError(208, statement.target.join("."));
  let from: string;
  if (statement.from === null) {
    const alias = `t${binding.aliases++}`;
    scope.sources.push({ alias: table.name, columns: tableColumns(table, alias) });
    from = `${table.sqlite} AS ${alias}`;
  } else from = bindSource(binding, scope, statement.from);
  const source = scope.sources.find((s) => s.alias.toLowerCase() === name.toLowerCase()) ?? scope.sources[0];
  const [alias = ""] = source?.columns[0]?.bound.sql.split(".") ?? [];
  const where = statement.where === null ? "" : ` WHERE ${bindCondition(binding, scope, statement.where)}`;
  const limit = statement.top === null ? "" : ` LIMIT ${bindValue(binding, null, statement.top).sql}`;
  const withoutRowId = createTableSql(table).endsWith("WITHOUT ROWID");
  const key = withoutRowId ? (primaryKey(table)?.columns ?? []).map((column) => quoteName(column.name)) : ["rowid"];
  return { table, scope, rows: `FROM ${from}${where}${limit}`, key, alias };
}

// The table behind an alias of FROM.
function findTarget(source: Source, name: string): readonly string[] | null {
  if (source.is === "join") return findTarget(source.left, name) ?? findTarget(source.right, name);
  if (source.is !== "table") return null;
  const alias = source.alias ?? source.name.at(-1) ?? "";
  return alias.toLowerCase() === name.toLowerCase() ? source.name : null;
}

export async function runUpdate(run: Run, statement: Statement & { is: "update" }): Promise<void> {
  const binding = newBinding(run.state);
  const target = bindTarget(binding, statement);
  const { table, key, alias } = target;
  const columns = statement.set.map(({ column }) => changeable(table, column.at(-1) ?? ""));
  const values = statement.set.map(({ value }, at) => setValue(binding, target, value, columns[at] as Column));
  const sets = columns.map((column, at) => `${quoteName(column.name)} = v.s${at}`);
  for (const column of table.columns) {
    if (column.type.name === "rowversion") sets.push(`${quoteName(column.name)} = next_version()`);
  }
  const keys = key.map((part, at) => `${alias}.${part} AS k${at}`);
  const selected = [...keys, ...values.map((value, at) => `${value} AS s${at}`)].join(", ");
  const join = key.map((part, at) => `${table.sqlite}.${part} = v.k${at}`).join(" AND ");
  const sql = `UPDATE ${table.sqlite} SET ${sets.join(", ")} FROM (SELECT ${selected} ${target.rows}) AS v WHERE ${join}`;
  await change(run, binding, sql, table, statement.output, "inserted", UPDATE_COMMAND);
}

function changeable(table: Table, name: string): Column {
  const column = columnOf(table, name);
  if (column === undefined) throw sqlError(207, name);
  if (column.type.name === "rowversion") throw sqlError(272);
  if (column.identity !== null) throw sqlError(271, name);
  return column;
}

function setValue(binding: Binding, target: Target, value: Expression, column: Column): string {
  const bound = bindValue(binding, target.scope, value);
  if (bound.type === null && !column.nullable && bound.constant === undefined)
    throw sqlError(206, "NULL", describe(column.type));
  return assigned(binding, bound.type === null ? constant(binding, null, null) : bound, target.table, column);
}

export async function runDelete(run: Run, statement: Statement & { is: "delete" }): Promise<void> {
  const binding = newBinding(run.state);
  const { table, key, rows, alias } = bindTarget(binding, statement);
  const keys = key.map((part) => `${alias}.${part}`).join(", ");
  const sql = `DELETE FROM ${table.sqlite} WHERE (${key.join(", ")}) IN (SELECT ${keys} ${rows})`;
  await change(run, binding, sql, table, statement.output, "deleted", DELETE_COMMAND);
}

export async function runTruncate(run: Run, parts: readonly string[]): Promise<void> {
  const { state } = run;
  const table = requireTable(state, parts);
  requireChange(state, table, "ALTER");
  await write(state, run.signal, () => {
    state.sqlite.exec(`DELETE FROM ${table.sqlite}`);
    truncated(state.sqlite, table);
  });
  const [identity] = table.columns.flatMap((column) => column.identity ?? []);
  if (identity !== undefined) state.store.identities.set(table.objectId, identity.seed);
  run.sink.done(null, 0);
}
