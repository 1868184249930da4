/** DDL: the catalog, SQLite's tables and the catalog views change together. */
import { SqlError, sqlError } from "../values/errors.ts";
import { describe, isString, type SqlType } from "../values/type.ts";
import type { Statement } from "./ast.ts";
import { requireTable } from "./bind-source.ts";
import { type Column, isTemporary, quoteName, splitName, type Table, tableKey } from "./catalog.ts";
import { forgetTable } from "./change-tracking.ts";
import { applyToCatalog, tableOf } from "./define.ts";
import { isAdmin } from "./rights.ts";
import { queryOf, type Run } from "./run.ts";
import type { State } from "./state.ts";
import { fillSystemTables } from "./system-tables.ts";
import { createIndexSql, createTableSql } from "./table-sql.ts";
import { write } from "./transactions.ts";

export async function runDefinition(run: Run, statement: Statement): Promise<void> {
  const { state } = run;
  const temporary = statement.is === "createTable" && isTemporary(statement.table.at(-1) ?? "");
  const dropsTemporary = statement.is === "drop" && statement.names.every((name) => isTemporary(name.at(-1) ?? ""));
  if (!isAdmin(state.login) && !temporary && !dropsTemporary)
    throw sqlError(262, firstWords(statement.text), state.store.database);
  if (statement.is === "drop" && !(await droppable(run, statement))) {
    run.sink.done(null, 0);
    return;
  }
  await write(state, run.signal, () => define(state, statement));
  run.sink.done(null, 0);
}

const firstWords = (text: string): string => text.split(/\s+/).slice(0, 2).join(" ").toUpperCase();

function define(state: State, statement: Statement): void {
  const savepoint = state.transaction !== null;
  if (savepoint) state.sqlite.exec("SAVEPOINT definition");
  try {
    change(state, statement);
    if (savepoint) state.sqlite.exec("RELEASE definition");
  } catch (error) {
    if (savepoint) state.sqlite.exec("ROLLBACK TO definition; RELEASE definition");
    throw error;
  }
}

function change(state: State, statement: Statement): void {
  switch (statement.is) {
    case "createTable":
      createTable(state, statement);
      return;
    case "createView":
      queryOf(state, statement.query);
      break;
    case "createIndex":
    case "addKey":
      addKey(state, statement);
      return;
    case "drop":
      drop(state, statement);
      return;
    default:
      break;
  }
  remember(state, statement);
}

/** Changes the catalog and keeps the statement, from which the catalog is built again. */
function remember(state: State, statement: Statement): void {
  applyToCatalog(state.store.catalog, statement, state.store.database);
  state.sqlite.prepare('INSERT INTO "#ddl" (text) VALUES (?)').run(statement.text);
  if (state.transaction !== null) state.transaction.changedCatalog = true;
  fillSystemTables(state.sqlite, state.store.catalog, (table) => columnsOf(state, table));
}

// A view's columns are those of its query; a view over something that was dropped has none.
function columnsOf(state: State, table: Table): readonly Column[] {
  if (table.view === null) return table.columns;
  const { query, columns } = table.view;
  try {
    return queryOf(state, query).query.columns.map(({ name, type, nullable }, at) => ({
      name: columns?.[at] ?? name,
      type,
      nullable,
      identity: null,
      byDefault: null,
    }));
  } catch (error) {
    if (error instanceof SqlError) return [];
    throw error;
  }
}

export function createTable(state: State, statement: Statement & { is: "createTable" }): Table {
  const name = statement.table.at(-1) ?? "";
  const { catalog, database } = state.store;
  const exists = isTemporary(name)
    ? state.temporary.has(name.toLowerCase())
    : findInCatalog(state, statement.table) !== undefined;
  if (exists) throw sqlError(2714, name);
  const before = catalog.nextObjectId;
  const table = tableOf(catalog, statement.table, statement.columns, statement.keys, database, statement.foreignKeys);
  const [identity] = table.columns.flatMap((column) => column.identity ?? []);
  if (identity !== undefined) state.store.identities.set(table.objectId, identity.seed);
  state.sqlite.exec(createTableSql(table));
  if (isTemporary(name)) {
    state.temporary.set(name.toLowerCase(), table);
    return table;
  }
  catalog.nextObjectId = before;
  const text = statement.text === "" ? definitionText(table) : statement.text;
  remember(state, { ...statement, text });
  return findInCatalog(state, statement.table) ?? table;
}

const findInCatalog = (state: State, parts: readonly string[]): Table | undefined => {
  const place = splitName(parts, state.store.database);
  return place === null ? undefined : state.store.catalog.tables.get(tableKey(place.schema, place.name));
};

// SELECT … INTO has no CREATE TABLE of its own to remember.
function definitionText(table: Table): string {
  const columns = table.columns.map((column) => {
    return `[${column.name.replaceAll("]", "]]")}] ${typeText(column.type)}${column.nullable ? "" : " NOT NULL"}`;
  });
  return `CREATE TABLE [${table.schema}].[${table.name.replaceAll("]", "]]")}] (${columns.join(", ")})`;
}

/** A type as CREATE TABLE declares it. */
export const typeText = (type: SqlType): string =>
  isString(type) && type.name !== "xml" ? `${describe(type)} COLLATE ${type.collation.name}` : describe(type);

function addKey(state: State, statement: Statement & { is: "createIndex" | "addKey" }): void {
  const table = requireTable(state, statement.table);
  if (isTemporary(table.name)) {
    if (statement.is === "addKey") throw sqlError(20001, "Keys of temporary tables are declared in CREATE TABLE here.");
    const kind = statement.unique ? "uniqueIndex" : "index";
    state.sqlite.exec(
      createIndexSql(table, { name: statement.name, kind, columns: statement.columns }).replace(
        "INDEX ",
        "INDEX temp.",
      ),
    );
    return;
  }
  remember(state, statement);
  const key = requireTable(state, statement.table).keys.at(-1);
  if (key === undefined) return;
  try {
    state.sqlite.exec(createIndexSql(table, key));
  } catch (error) {
    table.keys.pop();
    throw error;
  }
}

// Says whether there is anything to drop; throws error 3701 when there should be.
async function droppable(run: Run, statement: Statement & { is: "drop" }): Promise<boolean> {
  const { state } = run;
  if (statement.kind === "INDEX") return true;
  if (statement.kind === "SCHEMA") {
    const known = statement.names.every((name) => state.store.catalog.schemas.has((name[0] ?? "").toLowerCase()));
    if (!known && !statement.ifExists) throw sqlError(15151, "drop", "schema", statement.names.join(", "));
    return known;
  }
  for (const name of statement.names) {
    try {
      requireTable(state, name);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      if (statement.ifExists) return false;
      throw sqlError(3701, name.join("."));
    }
  }
  return true;
}

/** Throws error 3729. */
function requireEmptySchema(state: State, schema: string): void {
  const inside = [...state.store.catalog.tables.values()].find(
    (table) => table.schema.toLowerCase() === schema.toLowerCase(),
  );
  if (inside !== undefined) throw sqlError(3729, schema, inside.name);
}

function drop(state: State, statement: Statement & { is: "drop" }): void {
  for (const name of statement.names) {
    if (statement.kind === "SCHEMA") requireEmptySchema(state, name[0] ?? "");
    if (statement.kind === "INDEX") {
      const table = requireTable(state, statement.on ?? []);
      state.sqlite.exec(`DROP INDEX ${quoteName(`${table.objectId}.${name[0]}`)}`);
    } else if (statement.kind !== "SCHEMA") {
      const table = requireTable(state, name);
      forgetTable(state.sqlite, table);
      if (table.view === null) state.sqlite.exec(`DROP TABLE ${table.sqlite}`);
      state.store.identities.delete(table.objectId);
      if (isTemporary(table.name)) {
        state.temporary.delete(table.name.toLowerCase());
        return;
      }
    }
  }
  remember(state, statement);
}
