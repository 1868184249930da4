/**
 * Dynamic Data Masking, the server's own: who lacks UNMASK is given `xxxx`, 0 or 1900-01-01 in a value's place, and nobody says
 * so. As a key or a watermark that would be one value for all rows, and a pull that never ends.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { SqlChanges, SqlTable } from "@sallyport/shared/schema/operations.ts";
import { TYPES } from "tedious";
import { hasName } from "../../names.ts";
import type { Outcome } from "../connector.ts";
import { ask } from "./ask.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { orderOf } from "./masked.ts";
import type { Session } from "./session.ts";
import { type Parameter, quoteTable } from "./statement.ts";

/** Names in the facts of a warning. */
const MOST_NAMED = 64;

/**
 * The columns that arrive masked. SQL Server 2022 gives UNMASK for a column, a table or a schema; the ones before know it of a
 * database only, and answer NULL to the first question. @throws SallyportError
 */
export async function maskedByServer(
  session: Session,
  table: CatalogTable,
  signal: AbortSignal,
): Promise<readonly CatalogColumn[]> {
  const masked = table.columns.filter(({ isServerMasked }) => isServerMasked === true);
  if (masked.length === 0) return [];
  const text = (name: string, value: string, length: number): Parameter => ({
    ...{ name, type: TYPES.NVarChar, value, length },
  });
  const each = masked.map(
    (_, at) =>
      `COALESCE(HAS_PERMS_BY_NAME(@table, N'OBJECT', N'UNMASK', @c${at}, N'COLUMN'), HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'UNMASK'), 0) AS m${at}`,
  );
  const parameters = [
    text("table", quoteTable(table), 300),
    ...masked.map(({ name }, at) => text(`c${at}`, name, 128)),
  ];
  const [row] = await ask(session, { sql: `SELECT ${each.join(", ")}`, parameters }, signal);
  return masked.filter((_, at) => Number(row?.[`m${at}`]) !== 1);
}

/** @throws SallyportError `sql.permission` where the table would be read in the order of a masked column. */
export function checkServerMasks(
  table: Pick<CatalogTable, "key" | "columns">,
  operation: SqlTable | SqlChanges,
  masked: readonly CatalogColumn[],
): void {
  const names = masked.map(({ name }) => name);
  const used = orderOf(table, operation).find((name) => hasName(names, name));
  if (used === undefined) return;
  throw new SallyportError(
    "sql.permission",
    `The server masks column ${used} for this login, by which ${operation.table} would be read in order: GRANT UNMASK.`,
    { column: used, permission: "UNMASK" },
  );
}

/** What was read, and which columns of it left as the server masked them. */
export function withMaskWarnings(
  outcome: Outcome,
  emitted: readonly CatalogColumn[],
  masked: readonly CatalogColumn[],
): Outcome {
  const warnings = [...(outcome.warnings ?? []), ...serverMaskWarnings(emitted, masked)];
  return warnings.length === 0 ? outcome : { ...outcome, warnings };
}

function serverMaskWarnings(emitted: readonly CatalogColumn[], masked: readonly CatalogColumn[]): readonly Warning[] {
  const names = emitted.filter(({ name }) => masked.some((one) => one.name === name)).map(({ name }) => name);
  if (names.length === 0) return [];
  return [{ code: "sql.masked_columns", facts: { columns: names.slice(0, MOST_NAMED) } }];
}
