/** CREATE TABLE for SQLite from a table of the catalog. */
import { TYPES } from "../values/type.ts";
import { type Column, columnOf, type Key, primaryKey, quoteName, type Table } from "./catalog.ts";

export function createTableSql(table: Table): string {
  const temporary = table.name.startsWith("#") ? "TEMP " : "";
  const columns = table.columns.map((column) => columnSql(column));
  const primary = primaryKey(table);
  if (primary !== undefined) columns.push(`PRIMARY KEY ${keySql(primary)}`);
  for (const key of table.keys) if (key.kind === "unique") columns.push(`UNIQUE ${keySql(key)}`);
  for (const { columns: own, sqlite, references } of table.foreignKeys) {
    columns.push(`FOREIGN KEY (${own.map(quoteName)}) REFERENCES ${sqlite} (${references.map(quoteName)})`);
  }
  return `CREATE ${temporary}TABLE ${table.sqlite} (${columns.join(", ")})${rowId(table, primary)}`;
}

function columnSql(column: Column): string {
  const { sqlite, family } = TYPES[column.type.name];
  const collate = family === "string" ? ` COLLATE ${column.type.collation.sqlite}` : "";
  return `${quoteName(column.name)} ${sqlite}${collate}${column.nullable ? "" : " NOT NULL"}`;
}

export const keySql = (key: Pick<Key, "columns">): string =>
  `(${key.columns.map((column) => `${quoteName(column.name)}${column.descending ? " DESC" : ""}`).join(", ")})`;

// A single integer key is SQLite's rowid itself; any other primary key orders the table's own tree.
function rowId(table: Table, primary: Key | undefined): string {
  const [first, second] = primary?.columns ?? [];
  if (first === undefined) return "";
  const column = columnOf(table, first.name);
  const alone = second === undefined && !first.descending && column !== undefined;
  return alone && TYPES[column.type.name].sqlite === "INTEGER" ? "" : " WITHOUT ROWID";
}

export function createIndexSql(table: Table, key: Key): string {
  const unique = key.kind === "index" ? "" : "UNIQUE ";
  return `CREATE ${unique}INDEX ${quoteName(`${table.objectId}.${key.name}`)} ON ${table.sqlite} ${keySql(key)}`;
}
