/**
 * What a masked column may not be: of the key, or a watermark. Their values stand in positions, plans and conditions as they
 * are, so whoever asks could read them there, or find them out by asking (docs/masks.md).
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import type { SqlChanges, SqlTable } from "@sallyport/shared/schema/operations.ts";
import { hasName } from "../../names.ts";
import type { CatalogTable } from "./catalog.ts";

/** @throws SallyportError `policy.denied`. */
export function requireUnmasked(
  table: Pick<CatalogTable, "key" | "columns">,
  operation: SqlTable | SqlChanges,
  masks: Masks | undefined,
): void {
  if (masks === undefined) return;
  const masked = Object.keys(masks);
  const used = [...table.key.map(({ name }) => name), ...watermarksOf(table, operation)];
  const refused = used.find((name) => hasName(masked, name));
  if (refused === undefined) return;
  throw new SallyportError(
    "policy.denied",
    `The policy masks column ${refused}, by which ${operation.table} would be read in order.`,
    { column: refused },
  );
}

function watermarksOf({ columns }: Pick<CatalogTable, "columns">, operation: SqlTable | SqlChanges): string[] {
  if (operation.op === "sql.changes") return [];
  if (operation.watermark === "rowversion") {
    return columns.filter(({ declared }) => declared.name === "rowversion").map(({ name }) => name);
  }
  return operation.watermark === "column" && operation.watermarkColumn !== undefined ? [operation.watermarkColumn] : [];
}
