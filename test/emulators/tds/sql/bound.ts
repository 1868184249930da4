/** Bound expressions: SQLite text with a SQL Server type, and the conversions between them. */
import { convert } from "../values/convert.ts";
import { sqlError } from "../values/errors.ts";
import {
  describe,
  familyOf,
  isString,
  isUnicode,
  MAX,
  type SqlType,
  type SqlValue,
  sqlType,
  TYPES,
} from "../values/type.ts";
import type { Query } from "./ast.ts";
import type { Column, Table } from "./catalog.ts";
import { typeIndex } from "./runtime.ts";
import type { State } from "./state.ts";

export interface Bound {
  readonly sql: string;
  /** Null for the bare NULL. */
  readonly type: SqlType | null;
  /** What a literal or parameter is; undefined for everything that differs by row. */
  readonly constant?: SqlValue;
  readonly column?: { readonly table: Table | null; readonly column: Column };
  readonly nullable: boolean;
  readonly condition?: true;
}

export interface ScopeColumn {
  readonly name: string;
  readonly bound: Bound;
}

export interface Scope {
  readonly parent: Scope | null;
  readonly sources: { readonly alias: string; readonly columns: readonly ScopeColumn[] }[];
}

export interface ResultColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly identity: boolean;
}

export interface BoundQuery {
  /** Its columns are called c0, c1, … */
  readonly sql: string;
  readonly columns: readonly (ResultColumn & { readonly bound: Bound })[];
}

/** One statement being translated. */
export interface Binding {
  readonly state: State;
  readonly args: SqlValue[];
  aliases: number;
  /** Columns met outside aggregates, for error 8120; null when nobody asks. */
  bare: { sql: string; name: string }[] | null;
  aggregates: number;
  readonly common: Map<string, { readonly query: Query; readonly columns: readonly string[] | null }>;
  /** Handed in, because queries and expressions hold each other. */
  readonly query: (binding: Binding, query: Query, parent: Scope | null) => BoundQuery;
}

export const INT = sqlType("int");

/** A value as SQLite text; floats and odd text go as bound arguments, exactly. */
export function literalSql(binding: Pick<Binding, "args">, value: SqlValue): string {
  if (value === null) return "NULL";
  if (
    typeof value === "bigint" ||
    (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0))
  ) {
    return value < 0 ? `(${value})` : String(value);
  }
  if (typeof value === "string" && value.length < 2000 && !value.includes("\0"))
    return `'${value.replaceAll("'", "''")}'`;
  if (value instanceof Uint8Array && value.length < 2000) return `X'${Buffer.from(value).toString("hex")}'`;
  binding.args.push(value);
  return `?${binding.args.length}`;
}

export function constant(binding: Pick<Binding, "args">, value: SqlValue, type: SqlType | null): Bound {
  // A whole float must not become an integer in SQLite's arithmetic.
  const float = type !== null && familyOf(type) === "float" && typeof value === "number";
  const sql =
    float && Number.isInteger(value) ? `CAST(${literalSql(binding, value)} AS REAL)` : literalSql(binding, value);
  return { sql, type, constant: value, nullable: value === null };
}

export const computed = (sql: string, type: SqlType, nullable = true): Bound => ({ sql, type, nullable });

/** Whether a value of `from` is kept the same way as one of `to`, so that SQLite needs no conversion. */
export function keptAlike(from: SqlType, to: SqlType): boolean {
  const [a, b] = [familyOf(from), familyOf(to)];
  if (a !== b) return (a === "rowversion" && to.name === "bigint") || (from.name === "bigint" && b === "rowversion");
  switch (a) {
    case "integer":
    case "money":
      return TYPES[from.name].precedence <= TYPES[to.name].precedence && to.name !== "bit"
        ? true
        : from.name === to.name;
    case "decimal":
      return from.scale === to.scale && from.precision <= to.precision;
    case "float":
      return to.name === "float" || from.name === "real";
    case "time":
      return from.name === to.name && from.scale <= to.scale;
    case "string":
      return stringKeptAlike(from, to);
    case "binary":
      return (
        (to.length === MAX || (from.length !== MAX && from.length <= to.length)) &&
        (to.name !== "binary" || from.length === to.length)
      );
    case "guid":
    case "rowversion":
      return true;
  }
}

function stringKeptAlike(from: SqlType, to: SqlType): boolean {
  if (from.name === to.name && from.length === to.length && from.collation.encoding === to.collation.encoding)
    return true;
  const fits = to.length === MAX || (from.length !== MAX && from.length <= to.length);
  const narrower = isUnicode(from) && !isUnicode(to);
  return fits && !narrower && !/^n?char$/.test(from.name) && !/^n?char$/.test(to.name);
}

/** The expression as `to`; constants are converted here and now. Throws conversion errors of constants. */
export function converted(binding: Binding, bound: Bound, to: SqlType, style = 0, safe = false): Bound {
  const { type } = bound;
  if (type === null) return { ...bound, type: to };
  if (keptAlike(type, to) && style === 0) return { ...bound, type: to };
  if (bound.constant !== undefined) {
    try {
      return constant(binding, convert(bound.constant, type, to, style), to);
    } catch (error) {
      if (!safe) throw error;
      return constant(binding, null, to);
    }
  }
  const sql = `${safe ? "tryconv" : "conv"}(${bound.sql},${typeIndex(type)},${typeIndex(to)},${style})`;
  return { sql, type: to, nullable: bound.nullable || safe };
}

/** The type in which two meet: by precedence, wide enough for both. */
export function commonType(left: SqlType | null, right: SqlType | null): SqlType {
  if (left === null || right === null) return left ?? right ?? INT;
  const [high, low] = TYPES[left.name].precedence >= TYPES[right.name].precedence ? [left, right] : [right, left];
  if (familyOf(high) === "decimal" && ["decimal", "integer", "money"].includes(familyOf(low))) {
    const [a, b] = [asDecimal(high), asDecimal(low)];
    const scale = Math.max(a.scale, b.scale);
    const whole = Math.max(a.precision - a.scale, b.precision - b.scale);
    return sqlType(high.name, {
      precision: Math.min(38, whole + scale),
      scale: Math.min(scale, 38 - Math.min(whole, 38)),
    });
  }
  if ((isString(high) && isString(low)) || (familyOf(high) === "binary" && familyOf(low) === "binary")) {
    const length = high.length === MAX || low.length === MAX ? MAX : Math.max(high.length, low.length);
    return { ...high, length };
  }
  if (high.name === low.name) return { ...high, scale: Math.max(high.scale, low.scale) };
  if (familyOf(high) === "guid" && !["string", "binary"].includes(familyOf(low))) {
    throw sqlError(206, describe(low), describe(high));
  }
  return high;
}

const DIGITS: Partial<Record<SqlType["name"], number>> = { bit: 1, tinyint: 3, smallint: 5, int: 10, bigint: 19 };

/** The decimal type that holds every value of an exact numeric type. */
export function asDecimal(type: SqlType): SqlType {
  if (familyOf(type) === "decimal") return type;
  if (type.name === "money") return sqlType("decimal", { precision: 19, scale: 4 });
  if (type.name === "smallmoney") return sqlType("decimal", { precision: 10, scale: 4 });
  return sqlType("decimal", { precision: DIGITS[type.name] ?? 38, scale: 0 });
}

/** A value fit for ORDER BY, GROUP BY and comparison: strings with their collation, instants without their offset. */
export function comparable(bound: Bound): string {
  if (bound.type === null) return bound.sql;
  if (isString(bound.type)) {
    const padded = bound.column === undefined ? `rtrim(${bound.sql})` : bound.sql;
    return `${padded} COLLATE ${bound.type.collation.sqlite}`;
  }
  return bound.type.name === "datetimeoffset" ? `substr(${bound.sql},1,8)` : bound.sql;
}
