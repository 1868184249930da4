/** `sql.schema`. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type SqlSchemaResult, sqlSchemaResult } from "@sallyport/shared/schema/sql-schema.ts";
import type { Grant } from "../connector.ts";
import { createRecorder } from "./test-output.ts";
import { serve, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin(`ALTER DATABASE ERP SET CHANGE_TRACKING = ON; CREATE SCHEMA hr; EXEC sys.sp_cdc_enable_db;
    CREATE TABLE dbo.Orders (Id bigint IDENTITY NOT NULL PRIMARY KEY, Amount decimal(38,10) NULL, ChangedAt datetime2(3) NOT NULL,
      Note nvarchar(max) NULL, Version rowversion NOT NULL);
    CREATE UNIQUE INDEX byAmount ON dbo.Orders (Amount, Id);
    CREATE TABLE dbo.Heap (A varchar(10) NULL, B sql_variant NULL);
    CREATE TABLE hr.People (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NOT NULL, Salary money NULL);
    CREATE TABLE hr.Secret (Id int NOT NULL PRIMARY KEY);
    ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING;
    EXEC sys.sp_cdc_enable_table @source_schema = N'hr', @source_name = N'People', @role_name = NULL;
    INSERT INTO dbo.Orders (Amount, ChangedAt) VALUES (1, SYSDATETIME()), (2, SYSDATETIME())`);
  await server.admin("CREATE VIEW dbo.Names AS SELECT Id, Name FROM hr.People");
});
after(() => server.close());

const ALL: Grant = {
  kind: "schema",
  rule: "all",
  shown: [{ tables: ["dbo.*", "hr.*", "dbo.Names"], columns: "*" }],
  hidden: [],
};
async function show(grant: Grant = ALL, table?: string): Promise<SqlSchemaResult> {
  const output = createRecorder();
  const outcome = await serve(server, { op: "sql.schema", ...(table === undefined ? {} : { table }) }, output, {
    grant,
  });
  assert.deepEqual(outcome, { complete: true });
  assert.equal(output.results.length, 1);
  return sqlSchemaResult.parse(JSON.parse(JSON.stringify(output.results[0])));
}
const names = ({ tables }: SqlSchemaResult): string[] => tables.map(({ schema, name }) => `${schema}.${name}`);

test("tables with columns, keys, indexes, row counts, and how each can be read", async () => {
  const shown = await show();
  assert.deepEqual([shown.database, shown.snapshots], ["ERP", true]);
  assert.deepEqual(names(shown), ["dbo.Heap", "dbo.Names", "dbo.Orders", "hr.People", "hr.Secret"]);
  const [heap, view, orders, people] = shown.tables;
  assert.deepEqual(orders, {
    schema: "dbo",
    name: "Orders",
    kind: "table",
    rows: 2,
    columns: [
      { name: "Id", type: "bigint", nullable: false, identity: true, carried: true },
      { name: "Amount", type: "decimal(38,10)", nullable: true, identity: false, carried: true },
      { name: "ChangedAt", type: "datetime2(3)", nullable: false, identity: false, carried: true },
      { name: "Note", type: "nvarchar(max)", nullable: true, identity: false, carried: true },
      { name: "Version", type: "rowversion", nullable: false, identity: false, carried: true },
    ],
    key: ["Id"],
    indexes: [
      { name: "PK_Orders_Id", unique: true, primary: true, columns: ["Id"] },
      { name: "byAmount", unique: true, primary: false, columns: ["Amount", "Id"] },
    ],
    watermarks: ["none", "rowversion", "column", "changeTracking"],
    watermarkColumns: ["Id", "Amount", "ChangedAt"],
  });
  assert.deepEqual([heap?.rows, heap?.key, heap?.watermarks], [0, [], ["none"]]);
  assert.deepEqual([view?.kind, view?.rows, view?.columns.map(({ name }) => name)], ["view", null, ["Id", "Name"]]);
  assert.deepEqual(people?.watermarks, ["none", "column", "cdc"]);
});

test("one table, and what is not there", async () => {
  assert.deepEqual(names(await show(ALL, "HR.people")), ["hr.People"]);
  assert.deepEqual(names(await show(ALL, "hr.Nobody")), []);
});

test("only what the policy shows: a pattern is no view, a deny hides, a list of columns cuts keys and indexes", async () => {
  const some = (shown: Extract<Grant, { kind: "schema" }>["shown"], hidden: string[] = []) =>
    show({ kind: "schema", rule: "r", shown, hidden });
  assert.deepEqual(names(await some([{ tables: ["dbo.*"], columns: "*" }])), ["dbo.Heap", "dbo.Orders"]);
  assert.deepEqual(names(await some([{ tables: ["hr.*", "dbo.Names"], columns: "*" }], ["hr.Sec*"])), [
    "dbo.Names",
    "hr.People",
  ]);
  assert.deepEqual(names(await some([{ tables: ["sys.objects"], columns: "*" }])), []);
  const cut = await some([
    { tables: ["dbo.Orders"], columns: ["amount", "Version"] },
    { tables: ["dbo.*"], columns: "*" },
  ]);
  const orders = cut.tables.find(({ name }) => name === "Orders");
  assert.deepEqual(
    [
      orders?.columns.map(({ name }) => name),
      orders?.key,
      orders?.indexes,
      orders?.watermarks,
      orders?.watermarkColumns,
    ],
    [["Amount", "Version"], [], [], ["none"], []],
    "the first rule that fits decides",
  );
});

test("an external table is shown where the policy names it, and by no pattern", async () => {
  await server.admin("CREATE EXTERNAL TABLE dbo.Elsewhere (Id int NOT NULL) WITH (LOCATION = 'x', DATA_SOURCE = Y)");
  const shown = (tables: string[]) => show({ ...ALL, shown: [{ tables, columns: "*" }] });
  assert.ok(!names(await shown(["dbo.*"])).includes("dbo.Elsewhere"));
  const [elsewhere] = (await shown(["dbo.Elsewhere"])).tables;
  assert.deepEqual([elsewhere?.name, elsewhere?.kind, elsewhere?.rows], ["Elsewhere", "table", null]);
});

test("a name with a dot in it is never taken for what stands before the dot", async () => {
  await server.admin("CREATE TABLE dbo.[Orders.Secret] (Id int NOT NULL PRIMARY KEY)");
  for (const tables of [["dbo.Orders*"], ["dbo.*"]]) {
    const shown = await show({ ...ALL, shown: [{ tables, columns: "*" }] });
    assert.ok(!names(shown).some((name) => name.includes("Secret")), names(shown).join());
  }
});

test("a masked column is shown as that, and takes the key and the watermarks that it is of with it", async () => {
  const of = async (masked: readonly string[]) => {
    const shown = await show({ ...ALL, shown: [{ tables: ["dbo.Orders"], columns: "*", masked }] });
    const [orders] = shown.tables;
    return { ...orders!, masked: orders!.columns.filter((column) => column.masked).map(({ name }) => name) };
  };
  const open = await of([]);
  assert.deepEqual([open.masked, open.key], [[], ["Id"]]);
  assert.ok(open.watermarks.includes("rowversion") && open.watermarkColumns.includes("ChangedAt"));
  const byTime = await of(["changedat"]);
  assert.deepEqual([byTime.masked, byTime.key], [["ChangedAt"], ["Id"]]);
  assert.ok(!byTime.watermarkColumns.includes("ChangedAt"));
  const byKey = await of(["Id"]);
  assert.deepEqual([byKey.masked, byKey.key, byKey.watermarkColumns], [["Id"], [], []]);
  assert.ok(!byKey.watermarks.includes("rowversion"));
});
