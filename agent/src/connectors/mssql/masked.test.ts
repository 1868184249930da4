import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import { type SqlChanges, type SqlTable, sqlChanges, sqlTable } from "@sallyport/shared/schema/operations.ts";
import type { CatalogColumn } from "./catalog.ts";
import { checkMasks } from "./masked.ts";

const column = (name: string, type = "int"): CatalogColumn =>
  ({ name, declared: { name: type }, nullable: false }) as CatalogColumn;
const id = column("PersonId");
const TABLE = { key: [id], columns: [id, column("Email", "nvarchar"), column("Version", "rowversion")] };

const read = (more: object = {}): SqlTable =>
  sqlTable.parse({ op: "sql.table", table: "dbo.People", columns: ["Email"], watermark: "none", ...more });
const changes: SqlChanges = sqlChanges.parse({
  op: "sql.changes",
  table: "dbo.People",
  columns: "*",
  by: "changeTracking",
});

const refused = (column: string) => (error: unknown) =>
  error instanceof SallyportError && error.code === "policy.denied" && error.detail.column === column;

const requireUnmasked = (table: typeof TABLE, operation: SqlTable | SqlChanges, mask: Masks | undefined): void =>
  checkMasks(table, operation, { columns: ["PersonId", "Email"], ...(mask === undefined ? {} : { mask }) });

test("a masked column that is only read is no hindrance", () => {
  const masks: Masks = { Email: "hash", Other: "null" };
  for (const operation of [read(), read({ watermark: "rowversion" }), changes]) {
    requireUnmasked(TABLE, operation, masks);
    requireUnmasked(TABLE, operation, undefined);
  }
});

test("a masked key refuses every way of reading, whatever its case and whether or not it is asked for", () => {
  for (const operation of [read(), read({ consistency: "snapshot" }), changes]) {
    assert.throws(() => requireUnmasked(TABLE, operation, { personid: "hash" }), refused("PersonId"));
  }
});

test("a masked watermark refuses the mode that uses it, and no other", () => {
  const growing = read({ watermark: "column", watermarkColumn: "email" });
  assert.throws(() => requireUnmasked(TABLE, growing, { Email: "year" }), refused("email"));
  assert.throws(
    () => requireUnmasked(TABLE, read({ watermark: "rowversion" }), { Version: "null" }),
    refused("Version"),
  );
  requireUnmasked(TABLE, read(), { Version: "null" });
});

test("where every column is allowed, those that are masked have to be there", () => {
  checkMasks(TABLE, read(), { columns: "*", mask: { EMAIL: "hash" } });
  checkMasks(TABLE, read(), { columns: ["Email"], mask: { Email: "hash", Renamed: "null" } });
  for (const operation of [read(), changes]) {
    assert.throws(
      () => checkMasks(TABLE, operation, { columns: "*", mask: { Email: "hash", EMailAddress: "null" } }),
      refused("EMailAddress"),
    );
  }
});
