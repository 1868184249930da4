/** The catalog views of `sys`, kept as ordinary tables so that any join over them works. */
import type { DatabaseSync } from "node:sqlite";
import { decimalBytes } from "../values/decimal.ts";
import { MAX, type SqlType, TYPES } from "../values/type.ts";
import { type Catalog, type Column, isTemporary, type Table } from "./catalog.ts";
import { isCaptured, markCaptured } from "./cdc.ts";

export const SYSTEM_TABLES = `
CREATE TABLE sys.schemas (name sysname NOT NULL, schema_id int NOT NULL, principal_id int NULL);
CREATE TABLE sys.objects (name sysname NOT NULL, object_id int NOT NULL, principal_id int NULL, schema_id int NOT NULL,
  parent_object_id int NOT NULL, type char(2) NOT NULL, type_desc nvarchar(60) NULL, create_date datetime NOT NULL,
  modify_date datetime NOT NULL, is_ms_shipped bit NOT NULL);
CREATE TABLE sys.tables (name sysname NOT NULL, object_id int NOT NULL, schema_id int NOT NULL, type char(2) NOT NULL,
  type_desc nvarchar(60) NULL, is_ms_shipped bit NOT NULL, temporal_type tinyint NULL, is_memory_optimized bit NULL,
  is_tracked_by_cdc bit NULL, is_external bit NOT NULL);
CREATE TABLE sys.views (name sysname NOT NULL, object_id int NOT NULL, schema_id int NOT NULL, type char(2) NOT NULL,
  type_desc nvarchar(60) NULL, is_ms_shipped bit NOT NULL);
CREATE TABLE sys.columns (object_id int NOT NULL, name sysname NULL, column_id int NOT NULL, system_type_id tinyint NOT NULL,
  user_type_id int NOT NULL, max_length smallint NOT NULL, precision tinyint NOT NULL, scale tinyint NOT NULL,
  collation_name sysname NULL, is_nullable bit NULL, is_identity bit NOT NULL, is_computed bit NOT NULL,
  is_hidden bit NOT NULL, generated_always_type tinyint NULL, encryption_type int NULL);
CREATE TABLE sys.masked_columns (object_id int NOT NULL, name sysname NULL, column_id int NOT NULL, is_masked bit NOT NULL,
  masking_function nvarchar(4000) NULL);
CREATE TABLE sys.types (name sysname NOT NULL, system_type_id tinyint NOT NULL, user_type_id int NOT NULL,
  schema_id int NOT NULL, max_length smallint NOT NULL, precision tinyint NOT NULL, scale tinyint NOT NULL,
  collation_name sysname NULL, is_nullable bit NULL, is_user_defined bit NOT NULL, is_assembly_type bit NOT NULL);
CREATE TABLE sys.indexes (object_id int NOT NULL, name sysname NULL, index_id int NOT NULL, type tinyint NOT NULL,
  type_desc nvarchar(60) NULL, is_unique bit NULL, is_primary_key bit NULL, is_unique_constraint bit NULL,
  is_disabled bit NULL, has_filter bit NULL, is_hypothetical bit NULL);
CREATE TABLE sys.index_columns (object_id int NOT NULL, index_id int NOT NULL, index_column_id int NOT NULL,
  column_id int NOT NULL, key_ordinal tinyint NOT NULL, is_descending_key bit NULL, is_included_column bit NULL);
CREATE TABLE sys.key_constraints (name sysname NOT NULL, object_id int NOT NULL, schema_id int NOT NULL,
  parent_object_id int NOT NULL, type char(2) NOT NULL, type_desc nvarchar(60) NULL, unique_index_id int NULL,
  is_system_named bit NULL);
CREATE TABLE sys.identity_columns (object_id int NOT NULL, name sysname NULL, column_id int NOT NULL);
CREATE TABLE sys.databases (name sysname NOT NULL, database_id int NOT NULL, compatibility_level tinyint NOT NULL,
  collation_name sysname NULL, state tinyint NULL, state_desc nvarchar(60) NULL, is_read_only bit NULL,
  snapshot_isolation_state tinyint NULL, snapshot_isolation_state_desc nvarchar(60) NULL,
  is_read_committed_snapshot_on bit NULL, recovery_model_desc nvarchar(60) NULL, is_cdc_enabled bit NOT NULL);
CREATE TABLE sys.change_tracking_databases (database_id int NOT NULL, is_auto_cleanup_on tinyint NULL, retention_period int NULL,
  retention_period_units tinyint NULL);
CREATE TABLE sys.change_tracking_tables (object_id int NOT NULL, is_track_columns_updated_on bit NOT NULL,
  min_valid_version bigint NULL, begin_version bigint NULL, cleanup_version bigint NULL);
CREATE TABLE sys.sql_expression_dependencies (referencing_id int NOT NULL, referenced_server_name sysname NULL,
  referenced_database_name sysname NULL, referenced_schema_name sysname NULL, referenced_entity_name sysname NULL);
CREATE VIEW INFORMATION_SCHEMA.TABLES AS SELECT DB_NAME() AS TABLE_CATALOG, s.name AS TABLE_SCHEMA, o.name AS TABLE_NAME,
  CASE o.type WHEN 'U' THEN 'BASE TABLE' ELSE 'VIEW' END AS TABLE_TYPE
  FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0;
CREATE VIEW INFORMATION_SCHEMA.COLUMNS AS SELECT DB_NAME() AS TABLE_CATALOG, s.name AS TABLE_SCHEMA, o.name AS TABLE_NAME,
  c.name AS COLUMN_NAME, c.column_id AS ORDINAL_POSITION, CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END AS IS_NULLABLE,
  TYPE_NAME(c.user_type_id) AS DATA_TYPE
  FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
  WHERE o.is_ms_shipped = 0;`;

/** The name in sys.types: rowversion is called timestamp there. */
export const catalogTypeName = (name: SqlType["name"]): string => (name === "rowversion" ? "timestamp" : name);

// 2024-01-01T00:00:00 as SQLite keeps a datetime: one date for all, so that runs compare.
const CREATED = 45_290 * 25_920_000;

type Row = (string | number | null)[];

/** Writes all rows of the catalog views anew, inside the transaction that changed the catalog. */
export function fillSystemTables(
  sqlite: DatabaseSync,
  catalog: Catalog,
  columnsOf: (table: Table) => readonly Column[],
): void {
  const rows: Record<string, Row[]> = {
    schemas: [...catalog.schemas.values()].map(({ name, id }) => [name, id, 1]),
    types: typeRows(),
    objects: [],
    tables: [],
    views: [],
    columns: [],
    identity_columns: [],
    indexes: [],
    index_columns: [],
    key_constraints: [],
    sql_expression_dependencies: [],
  };
  for (const table of catalog.tables.values())
    if (!isTemporary(table.name)) addTable(rows, table, columnsOf(table), catalog);
  for (const [table, values] of Object.entries(rows)) replaceRows(sqlite, table, values);
  if (isCaptured(catalog)) markCaptured(sqlite);
}

/** sys.databases, which depends on how the emulator was started. */
export function fillDatabases(sqlite: DatabaseSync, databases: readonly string[]): void {
  replaceRows(
    sqlite,
    "databases",
    databases.map((name, at) => databaseRow(name, at + 1)),
  );
}

function replaceRows(sqlite: DatabaseSync, table: string, values: readonly Row[]): void {
  sqlite.exec(`DELETE FROM "sys.${table}"`);
  const first = values[0];
  if (first === undefined) return;
  const insert = sqlite.prepare(`INSERT INTO "sys.${table}" VALUES (${first.map(() => "?").join(",")})`);
  for (const row of values) insert.run(...row);
}

function typeRows(): Row[] {
  const rows: Row[] = Object.entries(TYPES)
    .filter(([name]) => name !== "xml")
    .map(([name, type]) => [
      catalogTypeName(name as SqlType["name"]),
      type.systemId,
      type.userId,
      4,
      type.maxLength,
      name === "decimal" || name === "numeric" ? 38 : 0,
      0,
      type.family === "string" ? "SQL_Latin1_General_CP1_CI_AS" : null,
      1,
      0,
      0,
    ]);
  rows.push(["xml", 241, 241, 4, -1, 0, 0, null, 1, 0, 0]);
  rows.push(["sysname", 231, 256, 4, 256, 0, 0, "SQL_Latin1_General_CP1_CI_AS", 0, 0, 0]);
  return rows;
}

function databaseRow(name: string, id: number): Row {
  const collation = "SQL_Latin1_General_CP1_CI_AS";
  return [name, id, 160, collation, 0, "ONLINE", 0, 1, "ON", 1, "FULL", 0];
}

const precisions: Partial<Record<SqlType["name"], readonly [number, number]>> = {
  bit: [1, 0],
  tinyint: [3, 0],
  smallint: [5, 0],
  int: [10, 0],
  bigint: [19, 0],
  money: [19, 4],
  smallmoney: [10, 4],
  real: [24, 0],
  float: [53, 0],
  date: [10, 0],
  datetime: [23, 3],
  smalldatetime: [16, 0],
};

/** Bytes besides the time of day, and digits without a fraction. */
const SCALED: Partial<Record<SqlType["name"], readonly [number, number]>> = {
  time: [0, 8],
  datetime2: [3, 19],
  datetimeoffset: [5, 26],
};

/** max_length, precision and scale of sys.columns. */
export function sizes(type: SqlType): readonly [number, number, number] {
  const fixed = precisions[type.name];
  if (fixed !== undefined) return [TYPES[type.name].maxLength, fixed[0], fixed[1]];
  if (type.name === "decimal" || type.name === "numeric") {
    const { precision, scale } = type;
    return [decimalBytes(precision), precision, scale];
  }
  const scaled = SCALED[type.name];
  if (scaled !== undefined) {
    const fraction = type.scale < 3 ? 3 : type.scale < 5 ? 4 : 5;
    return [fraction + scaled[0], scaled[1] + (type.scale > 0 ? type.scale + 1 : 0), type.scale];
  }
  if (/^n(var)?char$/.test(type.name)) return [type.length === MAX ? -1 : type.length * 2, 0, 0];
  if (/char$|binary$/.test(type.name)) return [type.length, 0, 0];
  return [TYPES[type.name].maxLength, 0, 0];
}

function addTable(rows: Record<string, Row[]>, table: Table, columns: readonly Column[], catalog: Catalog): void {
  const schemaId = catalog.schemas.get(table.schema.toLowerCase())?.id ?? 1;
  const shipped = table.schema === "sys" || table.schema === "INFORMATION_SCHEMA" ? 1 : 0;
  const { name, objectId } = table;
  const [type, words] = table.view !== null || shipped ? ["V", "VIEW"] : ["U", "USER_TABLE"];
  rows.objects?.push([name, objectId, null, schemaId, 0, type, words, CREATED, CREATED, shipped]);
  if (type === "U")
    rows.tables?.push([name, objectId, schemaId, type, words, 0, 0, 0, 0, table.external === true ? 1 : 0]);
  else if (!shipped) rows.views?.push([name, objectId, schemaId, type, words, 0]);
  columns.forEach((column, at) => {
    const { systemId, userId } = TYPES[column.type.name];
    const collation = TYPES[column.type.name].family === "string" ? column.type.collation.name : null;
    const [length, precision, scale] = sizes(column.type);
    const flags = [column.nullable ? 1 : 0, column.identity === null ? 0 : 1, 0, 0, 0, null];
    rows.columns?.push([
      objectId,
      column.name,
      at + 1,
      systemId,
      userId,
      length,
      precision,
      scale,
      collation,
      ...flags,
    ]);
    if (column.identity !== null) rows.identity_columns?.push([objectId, column.name, at + 1]);
  });
  if (type === "U") addKeys(rows, table, schemaId);
  for (const [of = "", inSchema = null] of tablesNamedIn(table.view).map((parts) => [...parts].reverse())) {
    rows.sql_expression_dependencies?.push([objectId, null, null, inSchema, of]);
  }
}

/** The names that a view's FROMs have, wherever they stand in it, one part or two. */
function tablesNamedIn(node: unknown): readonly (readonly string[])[] {
  if (typeof node !== "object" || node === null) return [];
  const { is, name } = node as { readonly is?: unknown; readonly name?: unknown };
  if (is === "table" && Array.isArray(name)) return [name as string[]];
  return Object.values(node).flatMap(tablesNamedIn);
}

function addKeys(rows: Record<string, Row[]>, table: Table, schemaId: number): void {
  const { objectId } = table;
  const clustered = table.keys.some((key) => key.kind === "primary");
  if (!clustered) rows.indexes?.push([objectId, null, 0, 0, "HEAP", 0, 0, 0, 0, 0, 0]);
  table.keys.forEach((key, at) => {
    const primary = key.kind === "primary";
    const indexId = primary ? 1 : at + 2;
    const type = primary ? [1, "CLUSTERED"] : [2, "NONCLUSTERED"];
    const unique = key.kind === "index" ? 0 : 1;
    const constraint = key.kind === "unique" ? 1 : 0;
    rows.indexes?.push([objectId, key.name, indexId, ...type, unique, primary ? 1 : 0, constraint, 0, 0, 0]);
    key.columns.forEach((column, ordinal) => {
      const columnId = table.columns.findIndex((c) => c.name.toLowerCase() === column.name.toLowerCase()) + 1;
      const descending = column.descending ? 1 : 0;
      rows.index_columns?.push([objectId, indexId, ordinal + 1, columnId, ordinal + 1, descending, 0]);
    });
    if (!primary && constraint === 0) return;
    const [short, long] = primary ? ["PK", "PRIMARY_KEY_CONSTRAINT"] : ["UQ", "UNIQUE_CONSTRAINT"];
    rows.key_constraints?.push([key.name, objectId + at + 1, schemaId, objectId, short, long, indexId, 0]);
    rows.objects?.push([key.name, objectId + at + 1, null, schemaId, objectId, short, long, CREATED, CREATED, 0]);
  });
}
