/** FROM: tables, views, derived tables, VALUES and joins. */
import { sqlError } from "../values/errors.ts";
import { sqlType } from "../values/type.ts";
import type { Source } from "./ast.ts";
import { bindChanges } from "./bind-changes.ts";
import { bindCondition, bindValue } from "./bind-expression.ts";
import { type Binding, type Bound, commonType, converted, INT, type Scope, type ScopeColumn } from "./bound.ts";
import { isTemporary, quoteName, splitName, type Table, tableKey } from "./catalog.ts";
import { liveRows } from "./live-tables.ts";
import { may } from "./rights.ts";
import type { State } from "./state.ts";

/** The table that parts of a name mean. Throws error 208. */
export function requireTable(state: State, parts: readonly string[]): Table {
  const last = parts.at(-1) ?? "";
  const place = splitName(parts, state.store.database);
  const table = isTemporary(last)
    ? state.temporary.get(last.toLowerCase())
    : place === null
      ? undefined
      : state.store.catalog.tables.get(tableKey(place.schema, place.name));
  if (table === undefined) throw sqlError(208, parts.join("."));
  return table;
}

/** Throws error 229 when the login may not read the table. */
export function requireSelect(state: State, table: Table): void {
  if (may(state.login, "SELECT", table.schema, table.name)) return;
  throw sqlError(229, "SELECT", table.name, state.store.database, table.schema);
}

/** SQLite's text of a source; its columns are added to the scope. */
export function bindSource(binding: Binding, scope: Scope, source: Source): string {
  switch (source.is) {
    case "table":
      return bindNamed(binding, scope, source);
    case "derived": {
      const query = binding.query(binding, source.query, scope.parent);
      const names = source.columns ?? query.columns.map((column) => column.name);
      return derived(binding, scope, source.alias, query, names);
    }
    case "values":
      return bindValues(binding, scope, source);
    case "changes":
      return bindChanges(
        binding,
        scope,
        requireTable(binding.state, source.name),
        converted(binding, bindValue(binding, scope.parent, source.since), sqlType("bigint")).sql,
        source.alias,
      );
    case "join": {
      const left = bindSource(binding, scope, source.left);
      const right = bindSource(binding, scope, source.right);
      const on = source.on === null ? "" : ` ON ${bindCondition(binding, scope, source.on)}`;
      const kind = source.kind === "INNER" || source.kind === "CROSS" ? source.kind : `${source.kind} OUTER`;
      return `${left} ${kind} JOIN ${source.right.is === "join" ? `(${right})` : right}${on}`;
    }
  }
}

function bindNamed(binding: Binding, scope: Scope, source: Source & { is: "table" }): string {
  const [only, ...more] = source.name;
  const common = more.length === 0 ? binding.common.get((only ?? "").toLowerCase()) : undefined;
  if (common !== undefined) {
    const query = binding.query(binding, common.query, null);
    const names = common.columns ?? query.columns.map((column) => column.name);
    return derived(binding, scope, source.alias ?? only ?? "", query, names);
  }
  const table = locate(binding.state, source);
  requireSelect(binding.state, table);
  const alias = source.alias ?? table.name;
  if (table.view !== null) {
    // Whoever may read a view need not be able to read what it reads.
    const owner = { ...binding.state, login: { ...binding.state.login, rights: "sysadmin" as const } };
    const inner: Binding = { ...binding, state: owner, bare: null, common: new Map() };
    const query = inner.query(inner, table.view.query, null);
    binding.aliases = inner.aliases;
    return derived(binding, scope, alias, query, table.view.columns ?? query.columns.map((column) => column.name));
  }
  const quoted = `t${binding.aliases++}`;
  scope.sources.push({ alias, columns: tableColumns(table, quoted) });
  return `${liveRows(binding.state, table) ?? table.sqlite} AS ${quoted}`;
}

function locate(state: State, source: Source & { is: "table" }): Table {
  try {
    return requireTable(state, source.name);
  } catch (error) {
    if (error instanceof Error && "line" in error) error.line = source.token.line;
    throw error;
  }
}

/** A table's columns under an alias of SQLite's. */
export function tableColumns(table: Table, alias: string): ScopeColumn[] {
  return table.columns.map((column) => {
    const sql = `${alias}.${quoteName(column.name)}`;
    return {
      name: column.name,
      bound: { sql, type: column.type, nullable: column.nullable, column: { table, column } },
    };
  });
}

function derived(
  binding: Binding,
  scope: Scope,
  alias: string,
  query: ReturnType<Binding["query"]>,
  names: readonly string[],
): string {
  const quoted = `t${binding.aliases++}`;
  const columns = query.columns.map((column, at): ScopeColumn => {
    const bound: Bound = { sql: `${quoted}.c${at}`, type: column.type, nullable: column.nullable };
    const origin = column.bound.column;
    return { name: names[at] ?? "", bound: origin === undefined ? bound : { ...bound, column: origin } };
  });
  scope.sources.push({ alias, columns });
  return `(${query.sql}) AS ${quoted}`;
}

function bindValues(binding: Binding, scope: Scope, source: Source & { is: "values" }): string {
  const rows = source.rows.map((row) => row.map((value) => bindValue(binding, scope.parent, value)));
  const types = source.columns.map((_, at) => {
    let type = rows[0]?.[at]?.type ?? null;
    for (const row of rows) type = type === null ? (row[at]?.type ?? null) : commonType(type, row[at]?.type ?? null);
    return type ?? INT;
  });
  const selects = rows.map((row) => {
    if (row.length !== types.length) throw sqlError(213);
    return `SELECT ${row.map((value, at) => `${converted(binding, value, types[at] ?? INT).sql} AS c${at}`).join(", ")}`;
  });
  const quoted = `t${binding.aliases++}`;
  const columns = source.columns.map((name, at) => ({
    name,
    bound: { sql: `${quoted}.c${at}`, type: types[at] ?? INT, nullable: true },
  }));
  scope.sources.push({ alias: source.alias, columns });
  return `(${selects.join(" UNION ALL ")}) AS ${quoted}`;
}
