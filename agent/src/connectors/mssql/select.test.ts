import assert from "node:assert/strict";
import { test } from "node:test";
import type { CatalogColumn } from "./catalog.ts";
import { parsePosition, positionText, rowversionBefore } from "./position.ts";
import type { Read } from "./read-plan.ts";
import { sliceStatement } from "./select.ts";

const column = (name: string, type: string, more: Partial<CatalogColumn["declared"]> = {}): CatalogColumn => ({
  name,
  declared: { name: type, ...more },
  collation: type.endsWith("char") ? "Latin1_General_CI_AS" : undefined,
  nullable: false,
});
const id = column("Id", "bigint");
const code = column("Code", "varchar", { length: 20 });
const amount = column("Amount", "decimal", { precision: 38, scale: 10 });
const stamp = column("Version", "rowversion");

const read = (more: Partial<Read>): Read => ({
  table: {
    objectId: 1,
    keyIsPrimary: true,
    schema: "dbo",
    name: "T]; DROP",
    columns: [id, code, amount, stamp],
    key: [id],
  },
  emitted: [id, amount],
  unseen: [],
  order: [id],
  byRowversion: false,
  ...more,
});

test("names are quoted, columns are listed, values are bound", () => {
  const { sql, parameters } = sliceStatement(read({}), undefined, 100);
  assert.equal(sql, "SELECT TOP (@n) [Id], [Amount] FROM [dbo].[T]]; DROP] ORDER BY [Id]");
  assert.deepEqual(
    parameters.map(({ name, value }) => [name, value]),
    [["n", 100]],
  );
});

test("a table without a key is one statement", () => {
  const { sql, parameters } = sliceStatement(read({ order: [] }), undefined, undefined);
  assert.equal(sql, "SELECT [Id], [Amount] FROM [dbo].[T]]; DROP]");
  assert.deepEqual(parameters, []);
});

test("a slice begins strictly after the last key, exactly", () => {
  const { sql, parameters } = sliceStatement(read({}), { key: ["9007199254740993"] }, 5);
  assert.equal(sql, "SELECT TOP (@n) [Id], [Amount] FROM [dbo].[T]]; DROP] WHERE [Id] > @k0 ORDER BY [Id]");
  assert.equal(parameters[0]?.value, 9007199254740993n);
});

test("a key of several columns is compared column by column, each by its own type and collation", () => {
  const { sql, parameters } = sliceStatement(
    read({ order: [code, amount, id], unseen: [code] }),
    { key: ["ab", "0.0000000001", "7"] },
    5,
  );
  const c = "CAST(@k0 COLLATE Latin1_General_CI_AS AS varchar(20))";
  const a = "CAST(@k1 AS decimal(38,10))";
  assert.equal(
    sql,
    "SELECT TOP (@n) [Id], [Amount], [Code] FROM [dbo].[T]]; DROP] " +
      `WHERE [Code] >= ${c} AND (([Code] > ${c}) OR ([Code] = ${c} AND [Amount] > ${a}) ` +
      `OR ([Code] = ${c} AND [Amount] = ${a} AND [Id] > @k2)) ORDER BY [Code], [Amount], [Id]`,
  );
  assert.deepEqual(
    parameters.map(({ value }) => value),
    ["ab", "0.0000000001", 7n, 5],
  );
});

test("by rowversion: after the watermark or the position, up to the bound", () => {
  const later = read({
    order: [stamp],
    rowversion: stamp,
    byRowversion: true,
    from: "0000000000000001",
    to: "00000000000000ff",
  });
  const fresh = sliceStatement(later, undefined, undefined);
  assert.equal(
    fresh.sql,
    "SELECT [Id], [Amount] FROM [dbo].[T]]; DROP] WHERE [Version] > @from AND [Version] <= @to ORDER BY [Version]",
  );
  assert.equal((fresh.parameters[0]!.value as Buffer).toString("hex"), "0000000000000001");
  const resumed = sliceStatement(later, { rowversion: "0000000000000042" }, undefined);
  assert.equal((resumed.parameters[0]!.value as Buffer).toString("hex"), "0000000000000042");
});

test("positions are text, and nothing else is a position", () => {
  for (const position of [{ key: ["1", "a\u0000b", true] }, { rowversion: "00000000000007d1" }]) {
    assert.deepEqual(parsePosition(positionText(position)), position);
  }
  for (const text of ["", "{}", "[1]", "[null]", "nonsense", "00000000000007D1"]) {
    assert.throws(() => parsePosition(text), /not one of this connector's/);
  }
  assert.throws(() => positionText({ key: ["x".repeat(4096)] }), /too long/);
  assert.equal(rowversionBefore("0000000000010000"), "000000000000ffff");
  assert.equal(rowversionBefore("0000000000000000"), "0000000000000000");
});
