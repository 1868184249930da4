/** What the server says a table is: resolved once for each session, before anything is read. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  type Column,
  type SqlServerDeclaration,
  type SqlServerTypeOptions,
  sqlServerType,
  sqlServerTypeText,
} from "@sallyport/shared/rows/types.ts";
import { TYPES } from "tedious";
import { sameName, splitTable } from "../../names.ts";
import { ask } from "./ask.ts";
import { canBeKey } from "./key-parameter.ts";
import type { Session } from "./session.ts";

export type TimestampForm = SqlServerTypeOptions["timestamps"];

export interface CatalogColumn {
  readonly name: string;
  readonly declared: SqlServerDeclaration;
  readonly collation: string | undefined;
  readonly nullable: boolean;
  /** Worked out by the server from others: Change Data Capture keeps no values of it. */
  readonly isComputed?: boolean;
  /** By Dynamic Data Masking: who lacks UNMASK is given something else in its place. */
  readonly isServerMasked?: boolean;
  /** The pull's option: a timestamp of 100 ns leaves as ISO text. */
  readonly timestamps?: TimestampForm | undefined;
  /** What stands in a SELECT list for it, where that is not its name alone. */
  readonly expression?: string;
}

export interface CatalogTable {
  readonly objectId: number;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly CatalogColumn[];
  /** The primary key, or else a unique index over columns that are NOT NULL, in index order; empty without either. */
  readonly key: readonly CatalogColumn[];
  readonly keyIsPrimary: boolean;
  /** Its rows lie in memory: other rules hold for its transactions. */
  readonly isInMemory?: boolean;
}

const OBJECT = `SELECT o.object_id AS id, s.name AS schemaName, o.name AS objectName, o.type AS type, t.is_external AS isExternal,
t.temporal_type AS temporalType, t.is_memory_optimized AS isInMemory
FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id LEFT JOIN sys.tables t ON t.object_id = o.object_id
WHERE s.name = @schema AND o.name = @name AND o.type IN ('U', 'V', 'SN')`;

// The base type of an alias type has its system type's id as its own; CLR types (geography) have none such. The types of a
// database's own are shown to who has a right on them, and SELECT on a table is none: a column without its type's name must stay.
/** Columns with their types; a WHERE follows. */
export const COLUMN_ROWS = `SELECT c.object_id AS objectId, c.column_id AS id, c.name AS name, b.name AS baseName, t.name AS typeName,
c.max_length AS maxLength, c.precision AS digits, c.scale AS decimals, c.is_nullable AS nullable, c.is_identity AS isIdentity,
c.collation_name AS collation, c.is_computed AS isComputed, c.encryption_type AS encryption, m.column_id AS maskedId
FROM sys.columns c LEFT JOIN sys.types t ON t.user_type_id = c.user_type_id
LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id
LEFT JOIN sys.masked_columns m ON m.object_id = c.object_id AND m.column_id = c.column_id`;
const COLUMNS = `${COLUMN_ROWS} WHERE c.object_id = @id ORDER BY c.column_id`;

/** A bit, as tedious or a test gives it. */
export const isTrue = (value: unknown): boolean => value === true || value === 1;

const IS_HISTORY = 1;

/** Why a pattern does not reach an object, which a rule must name then: what it gives is another's. Undefined for an ordinary table. */
export function standsFor(object: Readonly<Record<string, unknown>>): string | undefined {
  if (String(object.type).trim() === "V") return "a view";
  if (isTrue(object.isExternal)) return "an external table";
  // Of a temporal table, whose rows are in it as they were: a denial of the one would be read around by the other.
  return Number(object.temporalType) === IS_HISTORY ? "the history of another table" : undefined;
}

const KEYS = `SELECT i.index_id AS indexId, i.is_primary_key AS isPrimary, k.column_id AS columnId
FROM sys.indexes i JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
WHERE i.object_id = @id AND i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND i.is_hypothetical = 0
AND k.key_ordinal > 0 ORDER BY i.is_primary_key DESC, i.index_id, k.key_ordinal`;

export interface Wanted {
  /** The policy names this very object: only then may it be a view, an external table or a history. */
  readonly named: boolean;
  readonly timestamps?: TimestampForm;
}

/** @throws SallyportError `sql.not_found`, `policy.denied`. */
export async function resolveTable(
  session: Session,
  table: string,
  { named, timestamps }: Wanted,
  signal: AbortSignal,
): Promise<CatalogTable> {
  const [schema, name] = splitTable(table) ?? ["", table];
  const text = (parameter: string, value: string) => ({ name: parameter, type: TYPES.NVarChar, value, length: 128 });
  const objects = await ask(session, { sql: OBJECT, parameters: [text("schema", schema), text("name", name)] }, signal);
  // The server compares by its collation, which may take á for a or full-width for plain letters; the policy does not.
  const object = objects.find(
    (one) => sameName(String(one.schemaName), schema) && sameName(String(one.objectName), name),
  );
  if (object === undefined) {
    throw new SallyportError("sql.not_found", `There is no table ${table}, or the login may not see it.`, { table });
  }
  const kind = String(object.type).trim();
  if (kind === "SN") throw new SallyportError("request.invalid", `${table} is a synonym: name what it stands for.`);
  const other = standsFor(object);
  if (other !== undefined && !named) {
    throw new SallyportError(
      "policy.denied",
      `${table} is ${other}: the policy must name it, a pattern is not enough.`,
    );
  }
  const byId = await readColumns(session, Number(object.id), timestamps, signal);
  if (byId.size === 0) {
    throw new SallyportError("sql.not_found", `The login may not see the columns of ${table}.`, { table });
  }
  const id = { name: "id", type: TYPES.Int, value: Number(object.id) };
  const keys = await ask(session, { sql: KEYS, parameters: [id] }, signal);
  return {
    objectId: Number(object.id),
    schema: String(object.schemaName),
    name: String(object.objectName),
    columns: [...byId.values()],
    isInMemory: isTrue(object.isInMemory),
    ...chooseKey(keys, byId),
  };
}

/** The columns of an object, by their ids. */
export async function readColumns(
  session: Session,
  objectId: number,
  timestamps: TimestampForm,
  signal: AbortSignal,
): Promise<Map<number, CatalogColumn>> {
  const parameters = [{ name: "id", type: TYPES.Int, value: objectId }];
  const rows = await ask(session, { sql: COLUMNS, parameters }, signal);
  return new Map(rows.map((row) => [Number(row.id), { ...columnOf(row), timestamps }]));
}

/** In the place of a type: no column type holds it, it is of no key and no watermark. */
const ENCRYPTED = "always encrypted";

/** A row of `COLUMN_ROWS`. */
export function columnOf(row: Readonly<Record<string, unknown>>): CatalogColumn {
  // Ciphertext would arrive as a varbinary, as if that were the value.
  const isEncrypted = row.encryption !== null && row.encryption !== undefined;
  const name = isEncrypted ? ENCRYPTED : String(row.baseName ?? row.typeName ?? "unknown").toLowerCase();
  const bytes = Number(row.maxLength);
  const isWide = name === "nchar" || name === "nvarchar";
  return {
    name: String(row.name),
    declared: {
      name: name === "timestamp" ? "rowversion" : name,
      precision: Number(row.digits),
      scale: Number(row.decimals),
      length: bytes === -1 ? "max" : isWide ? bytes / 2 : bytes,
    },
    collation: typeof row.collation === "string" && /^[A-Za-z0-9_]+$/.test(row.collation) ? row.collation : undefined,
    nullable: row.nullable !== false && row.nullable !== 0,
    isComputed: isTrue(row.isComputed),
    isServerMasked: row.maskedId !== null && row.maskedId !== undefined,
  };
}

/**
 * The first index, primary key first, whose columns all are NOT NULL and can be compared exactly.
 * @param rows in the order of `KEYS`
 */
export function chooseKey(
  rows: readonly Readonly<Record<string, unknown>>[],
  byId: ReadonlyMap<number, CatalogColumn>,
): Pick<CatalogTable, "key" | "keyIsPrimary"> {
  for (const indexId of new Set(rows.map((row) => row.indexId))) {
    const parts = rows.filter((row) => row.indexId === indexId);
    const columns = parts.map((row) => byId.get(Number(row.columnId)));
    const usable = columns.filter((column) => column !== undefined && !column.nullable && canBeKey(column.declared));
    if (usable.length < columns.length) continue;
    return { key: usable as CatalogColumn[], keyIsPrimary: isTrue(parts[0]?.isPrimary) };
  }
  return { key: [], keyIsPrimary: false };
}

/** @throws SallyportError `value.not_exact` for a type that no column type holds. */
export function arrowColumn({
  name,
  declared,
  nullable,
  timestamps,
}: Pick<CatalogColumn, "name" | "declared" | "nullable" | "timestamps">): Column {
  const type = sqlServerType(declared, { timestamps });
  const source = sqlServerTypeText(declared);
  if (type === undefined) {
    throw new SallyportError("value.not_exact", `Values of column ${name} (${source}) cannot be carried exactly.`, {
      column: name,
      source,
    });
  }
  return { name, type, nullable, source };
}
