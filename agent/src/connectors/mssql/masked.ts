/** What has to hold of a table before columns of it are masked (docs/masks.md). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlChanges, SqlTable } from "@sallyport/shared/schema/operations.ts";
import { hasName } from "../../names.ts";
import type { Grant } from "../connector.ts";
import type { CatalogTable } from "./catalog.ts";

/** @throws SallyportError `policy.denied`. */
export function checkMasks(
  table: Pick<CatalogTable, "key" | "columns">,
  operation: SqlTable | SqlChanges,
  { mask, columns }: Pick<Extract<Grant, { kind: "table" }>, "mask" | "columns">,
): void {
  if (mask === undefined) return;
  const masked = Object.keys(mask);
  if (columns === "*") requireThere(table, operation, masked);
  requireUnmasked(table, operation, masked);
}

/** A column that was renamed, or misspelt in the policy, would leave as it is with all the others. */
function requireThere(
  { columns }: Pick<CatalogTable, "columns">,
  { table }: SqlTable | SqlChanges,
  masked: readonly string[],
): void {
  const names = columns.map(({ name }) => name);
  const missing = masked.find((name) => !hasName(names, name));
  if (missing === undefined) return;
  throw new SallyportError(
    "policy.denied",
    `The policy masks column ${missing} and allows every other, and ${table} has no such column.`,
    { column: missing },
  );
}

/**
 * A masked column is of no key and no watermark: their values stand in positions, plans and conditions as they are, so whoever
 * asks could read them there, or find them out by asking.
 */
function requireUnmasked(
  table: Pick<CatalogTable, "key" | "columns">,
  operation: SqlTable | SqlChanges,
  masked: readonly string[],
): void {
  const refused = orderOf(table, operation).find((name) => hasName(masked, name));
  if (refused === undefined) return;
  throw new SallyportError(
    "policy.denied",
    `The policy masks column ${refused}, by which ${operation.table} would be read in order.`,
    { column: refused },
  );
}

/** Names of the columns by which a table is read in order, and its changes are folded. */
export const orderOf = (
  table: Pick<CatalogTable, "key" | "columns">,
  operation: SqlTable | SqlChanges,
): readonly string[] => [...table.key.map(({ name }) => name), ...watermarksOf(table, operation)];

function watermarksOf({ columns }: Pick<CatalogTable, "columns">, operation: SqlTable | SqlChanges): string[] {
  if (operation.op === "sql.changes") return [];
  if (operation.watermark === "rowversion") {
    return columns.filter(({ declared }) => declared.name === "rowversion").map(({ name }) => name);
  }
  return operation.watermark === "column" && operation.watermarkColumn !== undefined ? [operation.watermarkColumn] : [];
}
