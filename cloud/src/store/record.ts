/**
 * Records as entities: one codec for all tables. A text stays a text, a whole number becomes Int64, an object becomes
 * JSON text, and null is a property that is not there (every write is a Replace, so leaving it out clears it).
 */
import { z } from "zod";
import type { Properties, Property, Row } from "./tables.ts";

/** A record as read, with what the next write of it needs. */
export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
  readonly row: Row;
}

/** What an entity looks like that is not what its schema says: somebody else wrote it, or an older version of us. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

export function toProperties(record: Readonly<Record<string, unknown>>): Properties {
  const properties: Record<string, Property> = {};
  for (const [name, value] of Object.entries(record)) {
    if (value === null || value === undefined) continue;
    properties[name] = toProperty(name, value);
  }
  return properties;
}

function toProperty(name: string, value: unknown): Property {
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "object") return JSON.stringify(value);
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  throw new RangeError(`${name} is not a whole number, a text, true or false, or JSON`);
}

/** Reads an entity by its schema: missing properties are null, JSON is parsed where the schema wants no text. */
export function fromRow<S extends z.ZodObject>(schema: S, row: Row): Stored<z.infer<S>> {
  const record: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    record[name] = fromProperty(row.properties[name] ?? null, field as z.ZodType);
  }
  const parsed = schema.safeParse(record);
  if (!parsed.success) throw new RecordError(`${row.partition} ${row.row}: ${z.prettifyError(parsed.error)}`);
  return { value: parsed.data, etag: row.etag, row };
}

function fromProperty(value: unknown, field: z.ZodType): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string" || !holdsJson(field)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function holdsJson(field: z.ZodType): boolean {
  if (field instanceof z.ZodNullable) return holdsJson(field.unwrap() as z.ZodType);
  return field instanceof z.ZodObject || field instanceof z.ZodArray || field instanceof z.ZodRecord;
}
