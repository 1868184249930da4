/**
 * `sql.changes`: what changed in a table, deletes included, each row with what happened to it in the column `_op`
 * (docs/connectors/mssql.md, "Changes").
 */
import type { SqlChanges } from "@sallyport/shared/schema/operations.ts";
import type { Grant, Outcome } from "../connector.ts";
import { resolveTable } from "./catalog.ts";
import { readCdc } from "./cdc.ts";
import { readTracked } from "./change-tracking.ts";
import { checkMasks } from "./masked.ts";
import { chooseColumns } from "./read-plan.ts";
import { checkServerMasks, maskedByServer, withMaskWarnings } from "./server-masks.ts";
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
  if (operation.by === "cdc") return readCdc(work, table, operation, allowed, masked);
  const columns = chooseColumns(table, operation, allowed);
  return withMaskWarnings(await readTracked(work, { table, columns, operation, allowed }), columns, masked);
}
