/**
 * `sql.changes`: what changed in a table, deletes included, each row with what happened to it in the column `_op`
 * (docs/connectors/mssql.md, "Changes").
 */
import type { SqlChanges } from "@sallyport/shared/schema/operations.ts";
import { hasName } from "../../names.ts";
import type { Grant, Outcome } from "../connector.ts";
import { type CatalogColumn, type CatalogTable, resolveTable } from "./catalog.ts";
import { readCdc } from "./cdc.ts";
import { readTracked } from "./change-tracking.ts";
import { checkMasks } from "./masked.ts";
import { chooseColumns } from "./read-plan.ts";
import { checkServerMasks, maskedByServer, serverMaskWarnings } from "./server-masks.ts";
import type { Work } from "./slices.ts";

type TableGrant = Extract<Grant, { kind: "table" }>;

/** @throws SallyportError. */
export async function readChanges(work: Work, operation: SqlChanges, grant: TableGrant): Promise<Outcome> {
  const wanted = { named: grant.named === true, timestamps: operation.timestamps };
  const table = await resolveTable(work.session, operation.table, wanted, work.signal);
  checkMasks(table, operation, grant);
  const masked = await maskedByServer(work.session, table, work.signal);
  checkServerMasks(table, operation, masked);
  const { columns: allowed } = grant;
  if (operation.by === "cdc") {
    const outcome = await readCdc(work, table, operation, allowed);
    // Later runs read the change table, which has columns of its own.
    return operation.from === undefined ? warned(outcome, columnsRead(table, operation, allowed), masked) : outcome;
  }
  const columns = chooseColumns(table, operation, allowed);
  return warned(await readTracked(work, { table, columns, operation, allowed }), columns, masked);
}

function warned(outcome: Outcome, columns: readonly CatalogColumn[], masked: readonly CatalogColumn[]): Outcome {
  const warnings = [...(outcome.warnings ?? []), ...serverMaskWarnings(columns, masked)];
  return warnings.length === 0 ? outcome : { ...outcome, warnings };
}

const columnsRead = (
  { columns }: CatalogTable,
  operation: SqlChanges,
  allowed: TableGrant["columns"],
): readonly CatalogColumn[] =>
  columns.filter(({ name }) => [operation.columns, allowed].every((names) => names === "*" || hasName(names, name)));
