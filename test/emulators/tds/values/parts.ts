/**
 * 64-bit integers leave SQLite as two numbers that a double holds exactly: reading them as BigInt would cost a third of
 * the speed of a large result.
 */
import { type SqlType, type SqlValue, TYPES } from "./type.ts";

const THIRDS_A_DAY = 25_920_000;
/** Days from 1753-01-01, the first datetime, to 1900-01-01. */
const DAYS_BEFORE_1900 = 53_690;

type Kind = "halves" | "ticks" | "thirds" | "whole";

export function partKind(type: SqlType): Kind {
  switch (type.name) {
    case "bigint":
    case "money":
    case "rowversion":
      return "halves";
    case "datetime2":
      return "ticks";
    case "datetime":
      return "thirds";
    default:
      return "whole";
  }
}

/** The SQLite expressions to select for a value of that type. */
export function partsOf(type: SqlType, sql: string): string[] {
  switch (partKind(type)) {
    case "halves":
      return [`${sql}>>32`, `${sql}&4294967295`];
    case "ticks":
      return [`${sql}/864000000000`, `${sql}%864000000000`];
    case "thirds": {
      const shifted = `(${sql}+${DAYS_BEFORE_1900 * THIRDS_A_DAY})`;
      return [`${shifted}/${THIRDS_A_DAY}-${DAYS_BEFORE_1900}`, `${shifted}%${THIRDS_A_DAY}`];
    }
    case "whole":
      return [sql];
  }
}

/** The value again, from the parts at `at` of a row. */
export function joinParts(type: SqlType, row: readonly SqlValue[], at: number): SqlValue {
  const [first, second] = [row[at] ?? null, row[at + 1] ?? null];
  if (first === null) return null;
  switch (partKind(type)) {
    case "halves":
      return (BigInt(first as number) << 32n) | BigInt(second as number);
    case "ticks":
      return BigInt(first as number) * 864_000_000_000n + BigInt(second as number);
    case "thirds":
      return (first as number) * THIRDS_A_DAY + (second as number);
    case "whole":
      return TYPES[type.name].sqlite === "REAL" ? Number(first) : first;
  }
}
