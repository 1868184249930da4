/** A filter's values find exactly the rows that they mean, or are refused. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { SqlCondition } from "@sallyport/shared/schema/filter.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import { planFilter } from "./filter.ts";
import { createRecorder } from "./test-output.ts";
import { readTable, startTestServer, type TestServer } from "./test-server.ts";

const column = (name: string, type: string, more: Partial<CatalogColumn["declared"]> = {}): CatalogColumn => ({
  name,
  declared: { name: type, ...more },
  collation: undefined,
  nullable: true,
});
const TABLE: CatalogTable = {
  ...{ objectId: 1, schema: "dbo", name: "T", key: [], keyIsPrimary: false },
  columns: [
    column("Id", "int"),
    column("Odd]Name", "nvarchar", { length: 5 }),
    column("Price", "decimal", { precision: 9, scale: 2 }),
    column("Seen", "datetime2", { scale: 3 }),
    column("Open", "bit"),
    column("Guid", "uniqueidentifier"),
    column("Raw", "varbinary", { length: 8 }),
    column("Shape", "geography"),
  ],
};
const plan = (...conditions: SqlCondition[]) => planFilter(TABLE, conditions);

test("columns are the table's own, quoted; values are bound and stand in no text", () => {
  const filter = plan(
    { column: "id", is: "greater", value: 5 },
    { column: "odd]name", is: "in", values: ["a' OR 1=1 --", "longer than five"] },
    { column: "Price", is: "equal", value: "1.005" },
    { column: "Open", is: "notNull" },
  );
  assert.deepEqual(filter.conditions, [
    "[Id] > @f0",
    "[Odd]]Name] IN (@f1, @f2)",
    "[Price] = CAST(@f3 AS decimal(38,3))",
    "[Open] IS NOT NULL",
  ]);
  assert.deepEqual(
    filter.parameters.map(({ value, length }) => [value, length]),
    [
      [5, undefined],
      ["a' OR 1=1 --", 12],
      ["longer than five", 16],
      ["1.005", 5],
    ],
  );
});

const BAD: readonly (readonly [column: string, value: string | number | boolean])[] = [
  ["Id", "five"],
  ["Id", 2 ** 31],
  ["Id", 1.5],
  ["Id", true],
  ["Open", "true"],
  ["Open", 1],
  ["Price", "1e5"],
  ["Price", "1".repeat(39)],
  ["Seen", "2026-01-01T00:00:00.0001"],
  ["Seen", "2026-02-30T00:00:00"],
  ["Seen", "2026-01-01"],
  ["Guid", "{6F9619FF-8B86-D011-B42D-00C04FC964FF}"],
  ["Raw", "not base64!"],
  ["Shape", "POINT(1 1)"],
];
for (const [name, value] of BAD) {
  test(`${JSON.stringify(value)} is nothing for ${name}`, () => {
    assert.throws(() => plan({ column: name, is: "equal", value }), { code: "request.invalid" });
  });
}

test("a column that the table has not is said", () => {
  assert.throws(() => plan({ column: "Other", is: "null" }), { code: "sql.not_found" });
});

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin(`
    CREATE TABLE dbo.Things (Id int NOT NULL PRIMARY KEY, Name nvarchar(10) NULL, Price decimal(9,2) NULL, Day date NULL);
    INSERT INTO dbo.Things VALUES (1, N'a', 1.00, '2026-01-01'), (2, N'b', 1.01, '2026-01-02'), (3, NULL, NULL, NULL),
      (4, N'b', -5.00, '2026-01-04')`);
});
after(() => server.close());

const FOUND: readonly (readonly [ids: readonly number[], ...conditions: SqlCondition[]])[] = [
  [[2, 4], { column: "name", is: "equal", value: "b" }],
  [[1], { column: "Name", is: "notEqual", value: "b" }],
  [[3], { column: "Name", is: "null" }],
  [[1, 2], { column: "Price", is: "greater", value: 0 }],
  [[], { column: "Price", is: "equal", value: "1.005" }],
  [[2], { column: "Price", is: "atLeast", value: "1.005" }],
  [[2], { column: "Day", is: "in", values: ["2026-01-02", "2027-01-01"] }],
  [[4], { column: "Name", is: "equal", value: "b" }, { column: "Id", is: "greater", value: "2" }],
  [[], { column: "Name", is: "equal", value: "b' OR 'a'='a" }],
];
test("on a server: only what all conditions hold for, also over slices", async () => {
  for (const [ids, ...filter] of FOUND) {
    const output = createRecorder();
    await readTable(server, "dbo.Things", output, { operation: { filter }, pace: { sliceRows: 1 } });
    assert.deepEqual(
      output.rows.map(([id]) => id),
      ids,
      JSON.stringify(filter),
    );
  }
});
