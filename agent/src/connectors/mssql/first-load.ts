/**
 * The first run of `sql.changes`: the table as it is, each row an insert. `to` was taken before, so what changes while it is
 * read comes again in the next run. A delete there may name a key that was never seen.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Plan, SqlChanges } from "@sallyport/shared/schema/operations.ts";
import type { Outcome } from "../connector.ts";
import { arrowColumn, type CatalogColumn, type CatalogTable } from "./catalog.ts";
import { maybeGone, operationColumn } from "./operation-column.ts";
import { withOrder } from "./read-plan.ts";
import { readSlices, type Work } from "./slices.ts";
import { checkPlan, startOf } from "./table.ts";

/** What both kinds of changes are read with. */
export interface ChangesRead {
  readonly table: CatalogTable;
  /** What the output gets after the operation's column. */
  readonly columns: readonly CatalogColumn[];
  readonly operation: SqlChanges;
  /** What the policy lets be read. */
  readonly allowed: "*" | readonly string[];
}

/** @param to the watermark with which the next run begins. @throws SallyportError. */
export async function loadFirst(work: Work, changes: ChangesRead, to: string): Promise<Outcome> {
  const { table, columns, operation, allowed } = changes;
  const emitted = [operationColumn("'insert'"), ...maybeGone(columns, table)];
  const read = withOrder({ table, emitted, byRowversion: false }, table.key, allowed);
  const plan: Plan = {
    to,
    key: table.key.map(({ name }) => name),
    isolation: "readCommitted",
    consistency: table.key.length > 0 ? "fuzzy" : "statement",
  };
  checkPlan(operation.plan, plan);
  const start = startOf(operation, read);
  const batch = await work.output.schema(read.emitted.map(arrowColumn), plan);
  return readSlices({ ...work, read, batch }, start);
}

/** Changes are folded by the key, so it has to be among what is read. @throws SallyportError `request.invalid`. */
export function requireKeyRead({ table, columns }: Pick<ChangesRead, "table" | "columns">): void {
  const missing = table.key.find((part) => !columns.some(({ name }) => name === part.name));
  if (missing === undefined) return;
  throw new SallyportError("request.invalid", `Column ${missing.name} is of the key: ask for it too.`, {
    field: "operation.columns",
    column: missing.name,
  });
}
