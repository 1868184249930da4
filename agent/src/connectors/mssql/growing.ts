/**
 * Reading by a column whose values grow (docs/connectors/mssql.md, "Reading", "column"): rows with a value in (from, to], in the order of
 * that column and then the key, so that rows of one value can be cut between two slices.
 *
 * Guarantee: each row whose value in (from, to] was committed when the run began comes once. Not seen: what is committed
 * later with an older value, updates that leave the column alone, and deletes.
 */
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type SqlServerDeclaration, sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import type { SqlTable } from "@sallyport/shared/schema/operations.ts";
import { TYPES } from "tedious";
import { sameName } from "../../names.ts";
import { ask } from "./ask.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { keyParameter } from "./key-parameter.ts";
import type { Session } from "./session.ts";
import { type Parameter, quoteName, quoteTable } from "./statement.ts";

/** The bounds as exact text; without `to` there is no row to read. */
export interface Growing {
  readonly column: CatalogColumn;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** Types that say how they are written as text without loss, and what their clock is, if they are times. */
const TEXT_STYLES: Readonly<Record<string, { readonly style?: number; readonly now?: string }>> = {
  ...{ tinyint: {}, smallint: {}, int: {}, bigint: {}, decimal: {}, numeric: {} },
  ...{ money: { style: 2 }, smallmoney: { style: 2 } },
  ...{ datetime: { style: 126, now: "SYSDATETIME()" }, datetime2: { style: 126, now: "SYSDATETIME()" } },
  datetimeoffset: { style: 126, now: "SYSDATETIMEOFFSET()" },
};

/** Whether a column of this type can be a watermark. */
export const canGrow = ({ name }: SqlServerDeclaration): boolean => TEXT_STYLES[name] !== undefined;

/** @throws SallyportError `sql.not_found`, `request.invalid`. */
export function growingColumn(table: CatalogTable, operation: SqlTable): CatalogColumn {
  const wanted = operation.watermarkColumn;
  const column = table.columns.find(({ name }) => wanted !== undefined && sameName(name, wanted));
  if (column === undefined) {
    throw new SallyportError("sql.not_found", `${operation.table} has no column ${wanted}.`, { column: wanted ?? "" });
  }
  const style = TEXT_STYLES[column.declared.name];
  if (style === undefined) {
    const types = Object.keys(TEXT_STYLES).join(", ");
    throw invalid(`Column ${column.name} cannot be a watermark: it must be one of ${types}.`, "watermarkColumn");
  }
  if (style.now === undefined && (operation.lagSeconds ?? 0) > 0) {
    throw invalid(`Column ${column.name} is no time, so nothing can lag behind it by seconds.`, "lagSeconds");
  }
  return column;
}

/**
 * Finds the run's bound, before its first row: the greatest value, for a time not beyond the server's clock, less the lag.
 * A planned or given bound stands. @throws SallyportError `request.invalid` where a row has no value in the column.
 */
export async function planGrowing(
  session: Session,
  table: CatalogTable,
  column: CatalogColumn,
  operation: SqlTable,
  signal: AbortSignal,
): Promise<Growing> {
  const from = boundOf(operation.from, "from");
  const given = operation.plan?.to ?? operation.to;
  if (column.nullable) await refuseNulls(session, table, column, signal);
  // A run that found nothing has a plan without a bound.
  if (operation.plan !== undefined && operation.plan.to === null) return { column, from, to: undefined };
  if (given !== undefined) return { column, from, to: boundOf(given, "plan") };
  const [row] = await ask(session, boundStatement(table, column, from, operation.lagSeconds ?? 0), signal);
  const to = typeof row?.bound === "string" ? row.bound : from;
  return { column, from, to };
}

export const boundText = (value: string): string => JSON.stringify([value]);

function boundOf(text: string | undefined, field: string): string | undefined {
  if (text === undefined) return undefined;
  const value = parseJson(text);
  if (Array.isArray(value) && value.length === 1 && typeof value[0] === "string") return value[0];
  throw invalid("The watermark is not one of this connector's.", field);
}

async function refuseNulls(
  session: Session,
  table: CatalogTable,
  column: CatalogColumn,
  signal: AbortSignal,
): Promise<void> {
  const sql = `SELECT COUNT_BIG(*) AS n FROM ${quoteTable(table)} WHERE ${quoteName(column.name)} IS NULL`;
  const [row] = await ask(session, { sql, parameters: [] }, signal);
  const rows = Number(row?.n);
  if (rows === 0) return;
  const message = `${rows} rows have no value in column ${column.name}: they would never be read.`;
  throw new SallyportError("request.invalid", message, { column: column.name, rows });
}

function boundStatement(table: CatalogTable, column: CatalogColumn, from: string | undefined, lagSeconds: number) {
  const { style, now } = TEXT_STYLES[column.declared.name]!;
  const type = sqlServerTypeText(column.declared);
  const parameters: Parameter[] = [];
  let bound = "m";
  if (now !== undefined) {
    parameters.push({ name: "lag", type: TYPES.Int, value: -lagSeconds });
    bound = `CAST(DATEADD(second, @lag, CASE WHEN m > ${now} THEN ${now} ELSE m END) AS ${type})`;
  }
  if (from !== undefined) {
    const { expression, parameter } = keyParameter("from", column.declared, column.collation, from);
    parameters.push(parameter);
    // What was read once is not read again, even when rows with the greatest values are gone.
    bound = `CASE WHEN ${bound} < ${expression} THEN ${expression} ELSE ${bound} END`;
  }
  const greatest = `SELECT MAX(${quoteName(column.name)}) AS m FROM ${quoteTable(table)}`;
  const text = `CONVERT(nvarchar(60), ${bound}${style === undefined ? "" : `, ${style}`})`;
  return { sql: `SELECT ${text} AS bound FROM (${greatest}) AS g`, parameters };
}

/** The conditions on the column, with their parameters. */
export function growingConditions({ column, from, to }: Growing, parameters: Parameter[]): string[] {
  if (to === undefined) return ["1 = 0"];
  const compare = (name: string, operator: string, value: string): string => {
    const { expression, parameter } = keyParameter(name, column.declared, column.collation, value);
    parameters.push(parameter);
    return `${quoteName(column.name)} ${operator} ${expression}`;
  };
  return [...(from === undefined ? [] : [compare("from", ">", from)]), compare("to", "<=", to)];
}

const invalid = (message: string, field: string) =>
  new SallyportError("request.invalid", message, { field: `operation.${field}` });
