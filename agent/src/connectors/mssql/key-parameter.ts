/**
 * Parts of a position bound against the columns of a key, exactly. The driver's own decimal, money and time inputs
 * pass through doubles and Dates, so those travel as text inside a CAST to the column's own type.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { KeyValue } from "@sallyport/shared/rows/columns.ts";
import { type SqlServerDeclaration, sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import { TYPES } from "tedious";
import { INTEGERS } from "./integers.ts";
import type { Parameter, TediousType } from "./statement.ts";

export interface KeyParameter {
  /** What stands in the statement for the value. */
  readonly expression: string;
  readonly parameter: Parameter;
}

const CAST_TYPES =
  "decimal numeric money smallmoney date time datetime smalldatetime datetime2 datetimeoffset char varchar".split(" ");
const OWN_TYPES = "bit real float uniqueidentifier nchar nvarchar binary varbinary rowversion".split(" ");
const KEY_TYPES = new Set([...CAST_TYPES, ...OWN_TYPES, ...Object.keys(INTEGERS)]);

/** Whether a column of this type can be part of a position. */
export const canBeKey = ({ name }: SqlServerDeclaration): boolean => KEY_TYPES.has(name);

const lengthOf = ({ length }: SqlServerDeclaration, most: number): number =>
  typeof length === "number" && length > 0 ? length : most;

/** @param value as a batch's `takeLastKey` gave it. @throws SallyportError `request.invalid`. */
export function keyParameter(
  name: string,
  declared: SqlServerDeclaration,
  collation: string | undefined,
  value: KeyValue,
): KeyParameter {
  const own = (type: TediousType, bound: unknown, length?: number): KeyParameter => ({
    expression: `@${name}`,
    parameter: length === undefined ? { name, type, value: bound } : { name, type, value: bound, length },
  });
  if (declared.name === "bit") return own(TYPES.Bit, value === true);
  if (typeof value !== "string") throw badPosition();
  const integer = INTEGERS[declared.name];
  if (integer !== undefined) {
    if (!/^-?[0-9]{1,19}$/.test(value)) throw badPosition();
    return own(integer.type, declared.name === "bigint" ? BigInt(value) : Number(value));
  }
  switch (declared.name) {
    case "real":
      return own(TYPES.Real, Number(value));
    case "float":
      return own(TYPES.Float, Number(value));
    case "uniqueidentifier":
      return own(TYPES.UniqueIdentifier, value);
    case "nchar":
    case "nvarchar":
      return own(TYPES.NVarChar, value, lengthOf(declared, 4000));
    case "rowversion":
    case "binary":
    case "varbinary":
      return own(TYPES.VarBinary, Buffer.from(value, "base64url"), lengthOf(declared, 8));
    default:
      return cast(name, declared, collation, value);
  }
}

/** In the column's own collation, so that the text passes through its code page and compares by its rules. */
function cast(
  name: string,
  declared: SqlServerDeclaration,
  collation: string | undefined,
  value: string,
): KeyParameter {
  const collate = collation === undefined || !declared.name.endsWith("char") ? "" : ` COLLATE ${collation}`;
  return {
    expression: `CAST(@${name}${collate} AS ${sqlServerTypeText(declared)})`,
    parameter: { name, type: TYPES.NVarChar, value, length: Math.max(1, value.length) },
  };
}

const badPosition = (): SallyportError =>
  new SallyportError("request.invalid", "The position does not fit the table's key.", { field: "operation.position" });
