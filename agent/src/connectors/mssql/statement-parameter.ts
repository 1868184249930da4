/**
 * Values for the parameters that the owner declares, exactly. The statement's text is not ours to change, so decimals
 * and times go as text in a parameter that is *declared* with its type: `sp_executesql` converts it on the server.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlServerDeclaration } from "@sallyport/shared/rows/types.ts";
import type { SqlQuery } from "@sallyport/shared/schema/operations.ts";
import { TYPES } from "tedious";
import { INTEGERS } from "./integers.ts";
import type { Parameter, TediousType } from "./statement.ts";

type ParameterValue = SqlQuery["parameters"][string];

/** `nvarchar(100)`, `decimal(18,4)`, … in its parts. */
export function parseDeclaration(text: string): SqlServerDeclaration {
  const match = /^([a-z0-9]+)(?:\(([0-9]+|max)(?:, ?([0-9]+))?\))?$/.exec(text);
  const [, name = text, first, second] = match ?? [];
  const number = first === undefined || first === "max" ? undefined : Number(first);
  if (name === "decimal" || name === "numeric") {
    return { name, precision: number, scale: second === undefined ? 0 : Number(second) };
  }
  if (/^(time|datetime2|datetimeoffset)$/.test(name)) return { name, scale: number ?? 7 };
  return { name, length: first === "max" ? "max" : number };
}

interface Wanted extends SqlServerDeclaration {
  /** The parameter's name, without @. */
  readonly parameter: string;
  readonly declaration: string;
}

/** @throws SallyportError `request.invalid` naming the parameter, never its value. */
export function statementParameter(name: string, declaration: string, value: ParameterValue): Parameter {
  const wanted: Wanted = { ...parseDeclaration(declaration), parameter: name, declaration };
  const bound = value === null ? bindNull(wanted) : bind(wanted, value);
  if (bound !== undefined) return bound;
  throw new SallyportError("request.invalid", `The value of parameter @${name} is no ${declaration}.`, {
    field: `operation.parameters.${name}`,
    type: declaration,
  });
}

const declaredAs = (wanted: Wanted, type: object, value: unknown): Parameter => ({
  name: wanted.parameter,
  type: { ...type, declaration: () => wanted.declaration } as unknown as TediousType,
  value,
});
const asText = (wanted: Wanted, value: string | null): Parameter => declaredAs(wanted, TYPES.NVarChar, value);

/** Neither binary nor money is converted from text implicitly, NULL or not. */
function bindNull(wanted: Wanted): Parameter | undefined {
  if (wanted.name.endsWith("binary")) return declaredAs(wanted, TYPES.VarBinary, null);
  return wanted.name.endsWith("money") ? money(wanted, null) : asText(wanted, null);
}

type Binder = (wanted: Wanted, value: string | number | boolean) => Parameter | undefined;

const DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const TIME = "[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\\.[0-9]{1,7})?)?";
/** Only ISO text: any other is read by the rules of the login's language. */
const iso = (form: string): Binder => {
  const pattern = new RegExp(`^${form}$`);
  return (wanted, value) => (typeof value === "string" && pattern.test(value) ? asText(wanted, value) : undefined);
};
const integer: Binder = (wanted, value) => {
  const { type, min, max } = INTEGERS[wanted.name]!;
  const text = String(value);
  if (!/^-?[0-9]{1,19}$/.test(text) || BigInt(text) < min || BigInt(text) > max) return undefined;
  return { name: wanted.parameter, type, value: wanted.name === "bigint" ? BigInt(text) : Number(text) };
};
const float: Binder = (wanted, value) => {
  const number = typeof value === "number" || /[0-9]/.test(String(value)) ? Number(value) : Number.NaN;
  const type = wanted.name === "real" ? TYPES.Real : TYPES.Float;
  return Number.isFinite(number) ? { name: wanted.parameter, type, value: number } : undefined;
};
const bit: Binder = (wanted, value) =>
  typeof value === "boolean" || value === 0 || value === 1
    ? { name: wanted.parameter, type: TYPES.Bit, value: Boolean(value) }
    : undefined;
const uuid: Binder = (wanted, value) =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(String(value))
    ? { name: wanted.parameter, type: TYPES.UniqueIdentifier, value }
    : undefined;
const bytes: Binder = (wanted, value) => {
  if (typeof value !== "string" || !/^[A-Za-z0-9_-]*$/.test(value)) return undefined;
  const buffer = Buffer.from(value, "base64url");
  return isTooLong(wanted, buffer.length) ? undefined : declaredAs(wanted, TYPES.VarBinary, buffer);
};
// A longer text would be cut by the server without a word.
const characters: Binder = (wanted, value) =>
  typeof value !== "string" || isTooLong(wanted, value.length) ? undefined : asText(wanted, value);
const isTooLong = ({ length }: Wanted, given: number): boolean => typeof length === "number" && given > length;

/** Not more digits after the point than declared: the server would round them away. */
const decimal: Binder = (wanted, value) => {
  const text = String(value);
  const match = /^-?0*([0-9]{0,38})(?:\.([0-9]{1,38}))?$/.exec(text);
  if (match === null || !/[0-9]/.test(text)) return undefined;
  const [, whole = "", fraction = ""] = match;
  const { precision = 38, scale = 4 } = wanted;
  if (fraction.length > scale || whole.length > precision - scale) return undefined;
  return wanted.name.endsWith("money") ? money(wanted, text) : asText(wanted, text);
};

/** Ten-thousandths in two halves, the high one first [MS-TDS 2.2.5.5.1.2], without the driver's double. */
function money(wanted: Wanted, text: string | null): Parameter | undefined {
  const [whole = "", fraction = ""] = (text ?? "0").split(".");
  const unscaled = BigInt(whole + fraction.padEnd(4, "0"));
  if (BigInt.asIntN(wanted.name === "money" ? 64 : 32, unscaled) !== unscaled) return undefined;
  const type = {
    ...TYPES.Money,
    validate: (value: unknown) => value,
    writeValue(buffer: { writeUInt8(value: number): void; writeInt32LE(value: number): void }): void {
      buffer.writeUInt8(text === null ? 0 : 8);
      if (text === null) return;
      buffer.writeInt32LE(Number(BigInt.asIntN(32, unscaled >> 32n)));
      buffer.writeInt32LE(Number(BigInt.asIntN(32, unscaled)));
    },
  };
  return declaredAs(wanted, type, text);
}

const BINDERS: Readonly<Record<string, Binder>> = {
  bit,
  tinyint: integer,
  smallint: integer,
  int: integer,
  bigint: integer,
  real: float,
  float,
  decimal,
  numeric: decimal,
  money: decimal,
  smallmoney: decimal,
  uniqueidentifier: uuid,
  binary: bytes,
  varbinary: bytes,
  date: iso(DATE),
  time: iso(TIME),
  datetime: iso(`${DATE}T${TIME}`),
  smalldatetime: iso(`${DATE}T${TIME}`),
  datetime2: iso(`${DATE}T${TIME}`),
  datetimeoffset: iso(`${DATE}T${TIME}(?:Z|[+-][0-9]{2}:[0-9]{2})`),
};
const bind: Binder = (wanted, value) => (BINDERS[wanted.name] ?? characters)(wanted, value);

/** A value for a parameter of raw SQL, where only JSON says what it is. */
export function rawParameter(name: string, value: ParameterValue): Parameter {
  if (typeof value === "boolean") return { name, type: TYPES.Bit, value };
  if (typeof value === "number") {
    return Number.isSafeInteger(value)
      ? { name, type: TYPES.BigInt, value: BigInt(value) }
      : { name, type: TYPES.Float, value };
  }
  return { name, type: TYPES.NVarChar, value };
}
