import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { pullDefinition } from "@sallyport/shared/schema/pull.ts";
import type { Grant } from "../connector.ts";
import { createRecorder } from "./test-output.ts";
import { readTable, serve, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
const LAST = "9999-12-31T23:59:59.9999999";

before(async () => {
  server = await startTestServer();
  await server.admin(`ALTER DATABASE ERP SET ALLOW_SNAPSHOT_ISOLATION ON;
    ALTER DATABASE ERP SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON);
    EXEC sys.sp_cdc_enable_db;
    CREATE TABLE dbo.Times (Until datetime2(7) NOT NULL PRIMARY KEY, Local datetimeoffset(7) NULL, Coarse datetime2(3) NULL,
      Old datetime NULL, Name nvarchar(30) NULL);
    ALTER TABLE dbo.Times ENABLE CHANGE_TRACKING;
    GRANT VIEW CHANGE TRACKING ON dbo.Times TO svc_sallyport;
    EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'Times', @role_name = NULL;
    INSERT INTO dbo.Times VALUES ('0001-01-01', '0001-01-02T00:00:00.0000001+02:00', '0001-01-01', '1753-01-01', N'first'),
      ('2026-11-22T06:00:00.0000001', NULL, NULL, NULL, N'now'), ('${LAST}', '${LAST}+08:00', '9999-12-31', NULL, N'last')`);
});
after(() => server.close());

const TEXTS = [
  ["0001-01-01T00:00:00.0000000", "0001-01-02T00:00:00.0000001+02:00"],
  ["2026-11-22T06:00:00.0000001", null],
  [LAST, `${LAST}+08:00`],
];
const isCode = (code: ErrorCode) => (error: unknown) => error instanceof SallyportError && error.code === code;
const kinds = ({ columns }: ReturnType<typeof createRecorder>) => columns.map(({ type }) => type.kind);

test("times of 100 ns leave as text where the pull says so, also as the key that reading resumes after", async () => {
  await assert.rejects(readTable(server, "dbo.Times", createRecorder()), isCode("value.not_exact"));
  const whole = createRecorder();
  const operation = { timestamps: "text" } as const;
  await readTable(server, "dbo.Times", whole, { operation, pace: { sliceRows: 1 } });
  assert.deepEqual(kinds(whole), ["utf8", "utf8", "timestamp", "timestamp", "utf8"]);
  assert.deepEqual(whole.columns.map(({ source }) => source).slice(0, 2), ["datetime2(7)", "datetimeoffset(7)"]);
  assert.deepEqual(
    whole.rows.map((row) => row.slice(0, 2)),
    TEXTS,
  );
  const { position } = whole.checkpoints[0]!;
  const rest = createRecorder();
  await readTable(server, "dbo.Times", rest, { operation: { ...operation, position } });
  assert.deepEqual(
    rest.rows.map((row) => row.slice(0, 2)),
    TEXTS.slice(1),
  );
});

for (const by of ["changeTracking", "cdc"] as const) {
  test(`first runs and later ones by ${by} have one schema, in text`, async () => {
    const asked = { op: "sql.changes", table: "dbo.Times", columns: "*", by, timestamps: "text" } as const;
    const first = createRecorder();
    await serve(server, asked, first);
    assert.deepEqual(
      first.rows.map((row) => row.slice(1, 3)),
      TEXTS,
    );
    await server.admin("UPDATE dbo.Times SET Name = N'more' WHERE Name = N'last'");
    const next = createRecorder();
    await serve(server, { ...asked, from: first.plan!.to! }, next);
    await server.admin("UPDATE dbo.Times SET Name = N'last' WHERE Name = N'more'");
    assert.deepEqual(next.rows.at(-1)!.slice(1, 3), TEXTS[2]);
    assert.deepEqual(kinds(next), kinds(first));
  });
}

test("a statement's times too", async () => {
  const sql = "SELECT Until, Name FROM dbo.Times ORDER BY Until";
  const grant: Grant = { kind: "statement", rule: "r", sql, parameters: {}, returns: ["Until", "Name"] };
  const asked = { op: "sql.query", statement: "s", parameters: {} } as const;
  const output = createRecorder();
  await serve(server, { ...asked, timestamps: "text" }, output, { grant });
  assert.deepEqual(
    output.rows.map(([until]) => until),
    TEXTS.map(([until]) => until),
  );
  await assert.rejects(serve(server, asked, createRecorder(), { grant }), isCode("value.not_exact"));
});

test("a pull takes the option in every operation, and no other word", () => {
  const pull = (operation: object, watermark = "none") =>
    pullDefinition.safeParse({ connection: "erp", operation, watermark }).success;
  const table = { op: "sql.table", table: "dbo.T", columns: "*" };
  assert.ok(pull({ ...table, timestamps: "text" }));
  assert.ok(pull({ ...table, op: "sql.changes", timestamps: "text" }, "cdc"));
  assert.ok(pull({ op: "sql.query", statement: "s", timestamps: "text" }));
  assert.ok(!pull({ ...table, timestamps: "exact" }));
});
