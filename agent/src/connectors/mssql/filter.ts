/**
 * A request's structured filter as conditions on columns. Values are bound; each is held against its column's type first,
 * so that none is rounded or cut on its way and then finds other rows than were asked for.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlCondition } from "@sallyport/shared/schema/filter.ts";
import { TYPES } from "tedious";
import { sameName } from "../../names.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { INTEGERS } from "./integers.ts";
import { keyParameter } from "./key-parameter.ts";
import { type Parameter, quoteName } from "./statement.ts";

export interface Filter {
  readonly conditions: readonly string[];
  readonly parameters: readonly Parameter[];
}

type Value = string | number | boolean;
interface Bound {
  readonly expression: string;
  readonly parameter: Parameter;
}

const OPERATORS = { equal: "=", notEqual: "<>", less: "<", atMost: "<=", greater: ">", atLeast: ">=" } as const;

/** @throws SallyportError `sql.not_found`, `request.invalid`. */
export function planFilter(table: CatalogTable, conditions: readonly SqlCondition[]): Filter {
  const parameters: Parameter[] = [];
  const bind = (column: CatalogColumn, value: Value): string => {
    const { expression, parameter } = boundOf(`f${parameters.length}`, column, value);
    parameters.push(parameter);
    return expression;
  };
  const texts = conditions.map((condition) => {
    const column = columnOf(table, condition.column);
    const name = quoteName(column.name);
    switch (condition.is) {
      case "null":
        return `${name} IS NULL`;
      case "notNull":
        return `${name} IS NOT NULL`;
      case "in":
        return `${name} IN (${condition.values.map((value) => bind(column, value)).join(", ")})`;
      default:
        return `${name} ${OPERATORS[condition.is]} ${bind(column, condition.value)}`;
    }
  });
  return { conditions: texts, parameters };
}

function columnOf({ schema, name, columns }: CatalogTable, wanted: string): CatalogColumn {
  const column = columns.find((one) => sameName(one.name, wanted));
  if (column !== undefined) return column;
  throw new SallyportError("sql.not_found", `${schema}.${name} has no column ${wanted}.`, { column: wanted });
}

const DIGITS = /^-?([0-9]{1,38})(?:\.([0-9]{1,37}))?$/;
const DAY = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}";

/** How a value of each type has to be written. `fraction`: no more digits of a second than the column keeps. */
function pattern({ name, scale }: CatalogColumn["declared"]): RegExp | undefined {
  const fraction = (digits: number): string => (digits === 0 ? "" : `(?:\\.[0-9]{1,${digits}})?`);
  const day = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
  switch (name) {
    case "uniqueidentifier":
      return /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;
    case "date":
      return DAY;
    case "time":
      return new RegExp(`^${CLOCK}${fraction(scale ?? 7)}$`);
    case "smalldatetime":
      return new RegExp(`^${day}T[0-9]{2}:[0-9]{2}:00$`);
    case "datetime":
      return new RegExp(`^${day}T${CLOCK}${fraction(3)}$`);
    case "datetime2":
      return new RegExp(`^${day}T${CLOCK}${fraction(scale ?? 7)}$`);
    case "datetimeoffset":
      return new RegExp(`^${day}T${CLOCK}${fraction(scale ?? 7)}(?:Z|[+-][0-9]{2}:[0-9]{2})$`);
    default:
      return undefined;
  }
}

/** Whether the day that a text begins with, if it does, is one of the calendar. */
function isRealDay(text: string): boolean {
  const day = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?=T|$)/.exec(text)?.[0];
  if (day === undefined) return true;
  const at = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day);
}

function boundOf(name: string, column: CatalogColumn, value: Value): Bound {
  const { declared } = column;
  const bad = (): SallyportError =>
    new SallyportError("request.invalid", `A value of the filter is nothing for column ${column.name}.`, {
      field: "operation.filter",
      column: column.name,
    });
  if (declared.name === "bit") {
    if (typeof value !== "boolean") throw bad();
    return keyParameter(name, declared, undefined, value);
  }
  if (typeof value === "boolean") throw bad();
  const text = String(value);
  const wanted = pattern(declared);
  if (wanted !== undefined) {
    if (!wanted.test(text) || !isRealDay(text)) throw bad();
    return keyParameter(name, declared, undefined, text);
  }
  if (INTEGERS[declared.name] !== undefined) return integer(name, declared, text, bad);
  switch (declared.name) {
    case "decimal":
    case "numeric":
    case "money":
    case "smallmoney":
      return decimal(name, text, bad);
    case "real":
    case "float":
      if (text.trim() === "" || !Number.isFinite(Number(text))) throw bad();
      return { expression: `@${name}`, parameter: { name, type: TYPES.Float, value: Number(text) } };
    case "char":
    case "varchar":
    case "nchar":
    case "nvarchar":
      // As it came: a value longer than the column has to find nothing, not what begins like it.
      return {
        expression: `@${name}`,
        parameter: { name, type: TYPES.NVarChar, value: text, length: Math.max(1, text.length) },
      };
    case "binary":
    case "varbinary":
      return binary(name, text, bad);
    default:
      throw bad();
  }
}

function integer(name: string, declared: CatalogColumn["declared"], text: string, bad: () => SallyportError): Bound {
  const range = INTEGERS[declared.name];
  if (range === undefined || !/^-?[0-9]{1,19}$/.test(text)) throw bad();
  const value = BigInt(text);
  if (value < range.min || value > range.max) throw bad();
  return keyParameter(name, declared, undefined, text);
}

/** With as many digits as the value has: in the column's own type it might be rounded. */
function decimal(name: string, text: string, bad: () => SallyportError): Bound {
  const [, whole = "", part = ""] = DIGITS.exec(text) ?? [];
  if (whole === "" || whole.length + part.length > 38) throw bad();
  return {
    expression: `CAST(@${name} AS decimal(38,${part.length}))`,
    parameter: { name, type: TYPES.NVarChar, value: text, length: text.length },
  };
}

function binary(name: string, text: string, bad: () => SallyportError): Bound {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) throw bad();
  return {
    expression: `@${name}`,
    parameter: { name, type: TYPES.VarBinary, value: bytes, length: Math.max(1, bytes.length) },
  };
}
