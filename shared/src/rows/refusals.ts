/** The errors of a column buffer: they name the column, never the value. */

import { SallyportError } from "../protocol/errors.ts";
import type { Column } from "./types.ts";

/** `what` continues "A value of column x (decimal(38,10)) …". */
export function notExact({ name, source }: Column, what: string): SallyportError {
  const message = `A value of column ${name} (${source}) ${what}.`;
  return new SallyportError("value.not_exact", message, { column: name, source });
}

export function tooLarge({ name }: Column, what: "cell" | "row", limitBytes: number): SallyportError {
  const message = `A ${what} has more than ${limitBytes} bytes, reached in column ${name}.`;
  return new SallyportError("limit.bytes", message, { column: name, limit: `${what}Bytes`, bytes: limitBytes });
}

/** A mistake of the caller, not of the data. */
export function wrongKind({ name, type }: Column, kind: string): TypeError {
  return new TypeError(`Column ${name} is ${type.kind}, and a ${kind} value came.`);
}
