/** `sql.schema`: schemas, tables and views, their columns, keys, indexes and row counts, and how each can be read. */
import { sqlServerType, sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import type { SqlSchema } from "@sallyport/shared/schema/operations.ts";
import type { SchemaTable, SqlSchemaResult } from "@sallyport/shared/schema/sql-schema.ts";
import { hasName, isSystemSchema, matchTable, splitTable } from "../../names.ts";
import type { Grant, Outcome } from "../connector.ts";
import { ask } from "./ask.ts";
import { type CatalogColumn, COLUMN_ROWS, chooseKey, columnOf, isTrue, standsFor } from "./catalog.ts";
import { canGrow } from "./growing.ts";
import type { Work } from "./slices.ts";

type SchemaGrant = Extract<Grant, { kind: "schema" }>;
type Row = Readonly<Record<string, unknown>>;

const DATABASE = "SELECT name, snapshot_isolation_state AS state FROM sys.databases WHERE database_id = DB_ID()";
const SNAPSHOTS_ON = 1;

const OBJECTS = `SELECT o.object_id AS id, s.name AS schemaName, o.name AS name, o.type AS type,
CASE WHEN c.object_id IS NULL THEN 0 ELSE 1 END AS isTracked, t.is_tracked_by_cdc AS isCaptured, t.is_external AS isExternal,
t.temporal_type AS temporalType
FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.tables t ON t.object_id = o.object_id
LEFT JOIN sys.change_tracking_tables c ON c.object_id = o.object_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY s.name, o.name`;

const COLUMNS = `${COLUMN_ROWS} JOIN sys.objects o ON o.object_id = c.object_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY c.object_id, c.column_id`;

const INDEXES = `SELECT i.object_id AS objectId, i.index_id AS indexId, i.name AS name, i.is_unique AS isUnique,
i.is_primary_key AS isPrimary, i.is_disabled AS isDisabled, i.has_filter AS hasFilter, k.column_id AS columnId
FROM sys.indexes i JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN sys.objects o ON o.object_id = i.object_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND i.is_hypothetical = 0 AND k.key_ordinal > 0
ORDER BY i.object_id, i.is_primary_key DESC, i.index_id, k.key_ordinal`;

const COUNTS = `SELECT p.object_id AS objectId, SUM(p.rows) AS n FROM sys.partitions p
WHERE p.index_id IN (0, 1) GROUP BY p.object_id`;

/** @throws SallyportError. What the policy does not show is as if it were not there. */
export async function readSchema(work: Work, operation: SqlSchema, grant: SchemaGrant): Promise<Outcome> {
  const { session, output, signal } = work;
  const all = (sql: string): Promise<Row[]> => ask(session, { sql, parameters: [] }, signal);
  const [database] = await all(DATABASE);
  const objects = await all(OBJECTS);
  const columns = Map.groupBy(await all(COLUMNS), ({ objectId }) => Number(objectId));
  const indexes = Map.groupBy(await all(INDEXES), ({ objectId }) => Number(objectId));
  const counts = new Map((await all(COUNTS)).map(({ objectId, n }) => [Number(objectId), Number(n)]));
  const result: SqlSchemaResult = {
    database: String(database?.name),
    snapshots: Number(database?.state) === SNAPSHOTS_ON,
    tables: objects.flatMap((object) => {
      const allowed = shownBy(object, operation, grant);
      if (allowed === undefined) return [];
      const id = Number(object.id);
      return [tableOf(object, columns.get(id) ?? [], indexes.get(id) ?? [], counts.get(id), allowed)];
    }),
  };
  await output.result(result);
  return { complete: true };
}

const isView = ({ type }: Row): boolean => String(type).trim() === "V";

type Shown = SchemaGrant["shown"][number];

/** What shows an object, or undefined where nothing does. A pattern shows base tables only, and no history of another. */
function shownBy(object: Row, operation: SqlSchema, grant: SchemaGrant): Shown | undefined {
  const name = `${object.schemaName}.${object.name}`;
  // One with a dot in it would be taken for another's, and nobody can ask for it.
  if (splitTable(name) === undefined || isSystemSchema(String(object.schemaName))) return undefined;
  if (operation.table !== undefined && matchTable(operation.table, name) !== "name") return undefined;
  if (grant.hidden.some((pattern) => matchTable(pattern, name) !== undefined)) return undefined;
  const fits = (pattern: string): boolean => {
    const match = matchTable(pattern, name);
    return match === "name" || (match === "pattern" && standsFor(object) === undefined);
  };
  return grant.shown.find(({ tables }) => tables.some(fits));
}

function tableOf(
  object: Row,
  columnRows: readonly Row[],
  indexRows: readonly Row[],
  count: number | undefined,
  { columns: allowed, masked = [] }: Shown,
): SchemaTable {
  const byId = new Map(columnRows.map((row) => [Number(row.id), columnOf(row)]));
  const isShown = (column: CatalogColumn | undefined): boolean =>
    column !== undefined && (allowed === "*" || hasName(allowed, column.name));
  const isMasked = ({ name }: CatalogColumn): boolean => hasName(masked, name);
  const shown = columnRows.filter((row) => isShown(byId.get(Number(row.id))));
  const usable = indexRows.filter((row) => isTrue(row.isUnique) && !isTrue(row.isDisabled) && !isTrue(row.hasFilter));
  const chosen = chooseKey(usable, byId);
  const key = chosen.key.every((column) => isShown(column) && !isMasked(column)) ? chosen.key : [];
  const columns = shown.map((row) => {
    const column = byId.get(Number(row.id))!;
    const mark = isMasked(column) ? { masked: true as const } : {};
    return { ...describe(column), identity: isTrue(row.isIdentity), ...mark };
  });
  const open = shown.map((row) => byId.get(Number(row.id))!).filter((column) => !isMasked(column));
  return {
    schema: String(object.schemaName),
    name: String(object.name),
    kind: isView(object) ? "view" : "table",
    // Of these two they lie behind it, in other tables or on another server; a history has rows of its own.
    rows: isView(object) || isTrue(object.isExternal) ? null : (count ?? 0),
    columns,
    key: key.map(({ name }) => name),
    indexes: indexesOf(indexRows, byId, isShown),
    ...waysToRead(object, open, key, chosen.keyIsPrimary),
  };
}

function describe({ name, declared, nullable }: CatalogColumn) {
  const type = sqlServerTypeText(declared);
  return { name, type, nullable, carried: sqlServerType(declared) !== undefined };
}

/** Indexes over columns that are shown, all of them. */
function indexesOf(
  rows: readonly Row[],
  byId: ReadonlyMap<number, CatalogColumn>,
  isShown: (column: CatalogColumn | undefined) => boolean,
): SchemaTable["indexes"] {
  return [...Map.groupBy(rows, ({ indexId }) => indexId).values()].flatMap((parts) => {
    const columns = parts.map(({ columnId }) => byId.get(Number(columnId)));
    const [first] = parts;
    if (first === undefined || !columns.every(isShown)) return [];
    const { name, isUnique, isPrimary } = first;
    const names = columns.map((column) => column?.name ?? "");
    return [{ name: String(name), unique: isTrue(isUnique), primary: isTrue(isPrimary), columns: names }];
  });
}

/** The watermark modes that would be served, by what is shown and not masked. */
function waysToRead(
  object: Row,
  columns: readonly CatalogColumn[],
  key: readonly CatalogColumn[],
  keyIsPrimary: boolean,
): Pick<SchemaTable, "watermarks" | "watermarkColumns"> {
  const growing = key.length === 0 ? [] : columns.filter(({ declared }) => canGrow(declared)).map(({ name }) => name);
  const hasRowversion = columns.some(({ declared }) => declared.name === "rowversion");
  const modes = {
    none: true,
    rowversion: key.length > 0 && hasRowversion,
    column: growing.length > 0,
    changeTracking: isTrue(object.isTracked) && key.length > 0 && keyIsPrimary,
    cdc: isTrue(object.isCaptured),
  };
  const names = Object.keys(modes) as (keyof typeof modes)[];
  return { watermarks: names.filter((mode) => modes[mode]), watermarkColumns: growing };
}
