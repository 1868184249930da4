/** The tables, views, keys and schemas of one database, as CREATE made them. */
import { sqlError } from "../values/errors.ts";
import type { SqlType } from "../values/type.ts";
import type { Expression, Query } from "./ast.ts";

export interface Column {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly identity: { readonly seed: bigint; readonly step: bigint } | null;
  readonly byDefault: Expression | null;
}

export interface Key {
  readonly name: string;
  readonly kind: "primary" | "unique" | "index" | "uniqueIndex";
  readonly columns: readonly { readonly name: string; readonly descending: boolean }[];
}

export interface ForeignKey {
  readonly columns: readonly string[];
  /** The quoted name in SQLite of the table that it points to. */
  readonly sqlite: string;
  readonly references: readonly string[];
}

export interface Table {
  readonly schema: string;
  readonly name: string;
  readonly objectId: number;
  /** Its quoted name in SQLite. */
  readonly sqlite: string;
  readonly columns: readonly Column[];
  readonly keys: Key[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly external?: boolean;
  readonly view: { readonly query: Query; readonly columns: readonly string[] | null } | null;
}

export interface Catalog {
  readonly schemas: Map<string, { readonly name: string; readonly id: number }>;
  readonly tables: Map<string, Table>;
  nextObjectId: number;
}

const FIXED_SCHEMAS = [
  ["dbo", 1],
  ["guest", 2],
  ["INFORMATION_SCHEMA", 3],
  ["sys", 4],
] as const;

export function emptyCatalog(): Catalog {
  return {
    schemas: new Map(FIXED_SCHEMAS.map(([name, id]) => [name.toLowerCase(), { name, id }])),
    tables: new Map(),
    nextObjectId: 100_000_001,
  };
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const isTemporary = (name: string): boolean => name.startsWith("#");

/** Schema and name of a one, two or three part name; `database` is where the session stands. Null for elsewhere. */
export function splitName(parts: readonly string[], database: string): { schema: string; name: string } | null {
  const [name = "", schema = "", inDatabase = database] = [...parts].reverse();
  if (inDatabase !== "" && inDatabase.toLowerCase() !== database.toLowerCase() && !isTemporary(name)) return null;
  return { schema: schema === "" ? "dbo" : schema, name };
}

export const tableKey = (schema: string, name: string): string => `${schema}.${name}`.toLowerCase();

export function columnOf(table: Table, name: string): Column | undefined {
  const wanted = name.toLowerCase();
  return table.columns.find((column) => column.name.toLowerCase() === wanted);
}

/** Throws error 207 when there is no such column. */
export function requireColumn(table: Table, name: string): Column {
  const column = columnOf(table, name);
  if (column === undefined) throw sqlError(207, name);
  return column;
}

export const primaryKey = (table: Table): Key | undefined => table.keys.find((key) => key.kind === "primary");
