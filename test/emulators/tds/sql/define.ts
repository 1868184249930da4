/** What a DDL statement does to the catalog. SQLite is changed by the executor, with the same statement. */
import { sqlError } from "../values/errors.ts";
import type { ColumnDefinition, ForeignKeyDefinition, KeyDefinition, Statement } from "./ast.ts";
import {
  type Catalog,
  type Column,
  type Key,
  quoteName,
  requireColumn,
  splitName,
  type Table,
  tableKey,
} from "./catalog.ts";

/** Throws SQL Server's errors for names that exist already, do not exist, or occur twice. */
export function applyToCatalog(catalog: Catalog, statement: Statement, database: string): void {
  switch (statement.is) {
    case "createSchema":
      if (catalog.schemas.has(statement.name.toLowerCase())) throw sqlError(2714, statement.name);
      catalog.schemas.set(statement.name.toLowerCase(), { name: statement.name, id: catalog.schemas.size + 1 });
      return;
    case "createTable":
      addTable(catalog, {
        ...tableOf(catalog, statement.table, statement.columns, statement.keys, database, statement.foreignKeys),
        external: statement.external === true,
      });
      return;
    case "createView": {
      const base = placeOf(catalog, statement.view, database);
      const { query, columns } = statement;
      addTable(catalog, { ...base, columns: [], keys: [], foreignKeys: [], view: { query, columns } });
      return;
    }
    case "createIndex": {
      const table = findTable(catalog, statement.table, database);
      for (const column of statement.columns) requireColumn(table, column.name);
      table.keys.push({
        name: statement.name,
        kind: statement.unique ? "uniqueIndex" : "index",
        columns: statement.columns,
      });
      return;
    }
    case "addKey": {
      const table = findTable(catalog, statement.table, database);
      table.keys.push(keyOf(table.name, statement.key));
      return;
    }
    case "drop":
      drop(catalog, statement, database);
      return;
    default:
      throw new Error(`not a definition: ${statement.is}`);
  }
}

function drop(catalog: Catalog, statement: Statement & { is: "drop" }, database: string): void {
  for (const name of statement.names) {
    if (statement.kind === "SCHEMA") catalog.schemas.delete((name[0] ?? "").toLowerCase());
    else if (statement.kind === "INDEX") {
      const table = findTable(catalog, statement.on ?? [], database);
      const at = table.keys.findIndex((key) => key.name.toLowerCase() === (name[0] ?? "").toLowerCase());
      if (at >= 0) table.keys.splice(at, 1);
    } else {
      const place = splitName(name, database);
      if (place !== null) catalog.tables.delete(tableKey(place.schema, place.name));
    }
  }
}

/** Throws error 208. */
export function findTable(catalog: Catalog, parts: readonly string[], database: string): Table {
  const place = splitName(parts, database);
  const table = place === null ? undefined : catalog.tables.get(tableKey(place.schema, place.name));
  if (table === undefined) throw sqlError(208, parts.join("."));
  return table;
}

function addTable(catalog: Catalog, table: Table): void {
  const key = tableKey(table.schema, table.name);
  if (catalog.tables.has(key)) throw sqlError(2714, table.name);
  catalog.tables.set(key, table);
}

// Keys of a table get the ids after its own, so ids are handed out in steps.
const OBJECT_ID_STEP = 32;

function placeOf(catalog: Catalog, parts: readonly string[], database: string) {
  const place = splitName(parts, database);
  const schema = place === null ? undefined : catalog.schemas.get(place.schema.toLowerCase());
  if (place === null || schema === undefined) throw sqlError(2760, place?.schema ?? parts.join("."));
  const objectId = catalog.nextObjectId;
  catalog.nextObjectId += OBJECT_ID_STEP;
  const sqlite = quoteName(place.name.startsWith("#") ? place.name : `${schema.name}.${place.name}`);
  return { schema: schema.name, name: place.name, objectId, sqlite };
}

/** The table that a CREATE TABLE describes. Throws errors 2705, 207 and 2760. */
export function tableOf(
  catalog: Catalog,
  parts: readonly string[],
  definitions: readonly ColumnDefinition[],
  keyDefinitions: readonly KeyDefinition[],
  database: string,
  foreignDefinitions: readonly ForeignKeyDefinition[] = [],
): Table {
  const base = placeOf(catalog, parts, database);
  const foreignKeys = foreignDefinitions.map(({ columns, table, references }) => ({
    columns,
    sqlite: findTable(catalog, table, database).sqlite,
    references,
  }));
  const keys = keyDefinitions.map((key) => keyOf(base.name, key));
  const primary = keys.find((key) => key.kind === "primary");
  const inKey = new Set(primary?.columns.map((column) => column.name.toLowerCase()));
  const seen = new Set<string>();
  const columns = definitions.map((definition): Column => {
    const lower = definition.name.toLowerCase();
    if (seen.has(lower)) throw sqlError(2705, definition.name, base.name);
    seen.add(lower);
    const { name, type, identity, byDefault } = definition;
    const never = inKey.has(lower) || identity !== null || type.name === "rowversion";
    return { name, type, identity, byDefault, nullable: never ? false : (definition.nullable ?? true) };
  });
  const table: Table = { ...base, columns, keys, foreignKeys, view: null };
  for (const key of keys) for (const column of key.columns) requireColumn(table, column.name);
  return table;
}

function keyOf(table: string, key: KeyDefinition): Key {
  const columns = key.columns.map((column) => column.name).join("_");
  const name = key.name ?? `${key.primary ? "PK" : "UQ"}_${table}_${columns}`;
  return { name, kind: key.primary ? "primary" : "unique", columns: key.columns };
}
