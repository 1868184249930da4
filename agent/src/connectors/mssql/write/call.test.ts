/** Calling procedures of an emulated SQL Server: parameters of every way, results checked, what they did undone. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlCall } from "@sallyport/shared/schema/write-operations.ts";
import type { Grant } from "../../connector.ts";
import { startTestServer, type TestServer } from "../test-server.ts";
import { tableParameter } from "./call-parameters.ts";
import { change, textInput, type Written } from "./test-input.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin("CREATE TABLE dbo.Log (What nvarchar(200) NOT NULL)");
  await server.admin(`CREATE TABLE dbo.Requests (RequestKey nvarchar(128) NOT NULL PRIMARY KEY, Request char(64) NOT NULL,
    At datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Answer nvarchar(max) NULL)`);
  server.server.procedure({
    name: "dbo.Close",
    parameters: "@id int, @amount decimal(38, 10), @total decimal(38, 10) OUTPUT, @at datetime2(7) OUTPUT",
    run: async ({ sql, values }) => {
      await sql("INSERT INTO dbo.Log VALUES (N'close')");
      await sql("SET @total = @amount; SET @at = '9999-12-31T23:59:59.9999999'");
      await sql("SELECT @id AS Id, CAST(9223372036854775807 AS bigint) AS Big");
      await sql("SELECT N'ä' AS Name UNION ALL SELECT NULL");
      return Number(values.id);
    },
  });
  server.server.procedure({
    name: "dbo.CommitsItself",
    parameters: "",
    run: async ({ sql }) => {
      await sql("INSERT INTO dbo.Log VALUES (N'for good')");
      await sql("COMMIT TRANSACTION");
      return 0;
    },
  });
  server.server.procedure({
    name: "dbo.Lines",
    parameters: "@lines dbo.OrderLines READONLY",
    run: async ({ rows, sql }) => {
      for (const row of rows("lines")) await sql(`INSERT INTO dbo.Log VALUES (N'${row.join("|")}')`);
      return rows("lines").length;
    },
  });
});
after(() => server.close());

const grantOf = (procedure: string, more: Partial<Extract<Grant, { kind: "call" }>> = {}): Grant => ({
  kind: "call",
  rule: "c",
  procedure,
  parameters: {},
  returns: [],
  effect: "write",
  ...more,
});
const CLOSE = grantOf("dbo.Close", {
  parameters: {
    id: { type: "int" },
    amount: { type: "decimal(38,10)" },
    total: { type: "decimal(38,10)", output: true },
    at: { type: "datetime2(7)", output: true },
  },
  returns: [["Id", "Big"], ["Name"]],
});
const LINES = grantOf("dbo.Lines", {
  parameters: {
    lines: {
      tableType: "dbo.OrderLines",
      columns: { Id: "bigint", Price: "decimal(38,4)", Name: "nvarchar(20)", At: "datetime2(7)", Ok: "bit" },
    },
  },
});
const call = (grant: Grant, parameters: SqlCall["parameters"], key?: string): Promise<Written> =>
  change(
    server,
    {
      op: "sql.call",
      procedure: grant.kind === "call" ? grant.procedure : "",
      parameters,
      effect: "write",
      ...(key === undefined ? {} : { idempotencyKey: key }),
    },
    grant,
    textInput(["None"], []),
  );
const logged = async (): Promise<unknown[]> =>
  (await server.server.sql("SELECT What FROM dbo.Log")).rows.map((row) => row.What);
const isCode = (code: string) => (error: unknown) => error instanceof SallyportError && error.code === code;

const AMOUNT = "-9999999999999999999999999999.0123456789";

test("outputs, return value and every result set come back exactly", async () => {
  const { result, outcome } = await call(CLOSE, { id: 7, amount: AMOUNT });
  assert.equal(outcome.committed, true);
  assert.deepEqual(result.outputs, { total: AMOUNT, at: "9999-12-31T23:59:59.9999999" });
  assert.equal(result.return, 7);
  assert.deepEqual(
    (result.results as { rows: unknown }[]).map(({ rows }) => rows),
    [[[7, "9223372036854775807"]], [["ä"], [null]]],
  );
});

test("other result sets than the policy's are denied, and what the procedure did is undone", async () => {
  const before = await logged();
  for (const returns of [[["Id", "Big"]], [["Id"], ["Name"]], [["Id", "Big"], ["Name"], ["More"]], []]) {
    const grant = { ...CLOSE, returns } as Grant;
    await assert.rejects(call(grant, { id: 1, amount: "1" }), isCode("policy.denied"));
  }
  assert.deepEqual(await logged(), before);
});

test("rows of a table type arrive exactly, NULLs among them; what does not fit names its row", async () => {
  await server.admin("DELETE FROM dbo.Log");
  const columns = ["Id", "Price", "Name", "At", "Ok"];
  const rows = [
    ["9223372036854775807", "-1234567890123456789012345678901234.5678", "Ωμέγα", "2024-05-06T07:08:09.1234567", true],
    [1, null, "", null, false],
  ];
  const { result } = await call(LINES, { lines: { columns, rows } });
  assert.equal(result.return, 2);
  const [first, second] = (await logged()).map(String);
  assert.match(
    first!,
    /^9223372036854775807\|-1234567890123456789012345678901234\.5678\|Ωμέγα\|2024-05-06.07:08:09\.1234567\|1$/,
  );
  assert.equal(second, "1||||0");
  const wrong = [rows[1]!, [2, "0.00001", "", null, null]];
  await assert.rejects(call(LINES, { lines: { columns, rows: wrong } }), (error) => {
    assert.ok(error instanceof SallyportError);
    assert.deepEqual([error.code, error.detail.row, error.detail.column], ["request.invalid", 1, "Price"]);
    return true;
  });
});

test("a call under a key is made once, and answers the same again", async () => {
  await server.admin("DELETE FROM dbo.Log");
  const grant = { ...CLOSE, requestTable: "dbo.Requests" } as Grant;
  const first = await call(grant, { id: 3, amount: "1.5" }, "call-1");
  const again = await call(grant, { id: 3, amount: "1.5" }, "call-1");
  assert.deepEqual(await logged(), ["close"]);
  assert.deepEqual([first.result.repeated, again.result.repeated], [false, true]);
  assert.deepEqual(again.result.outputs, first.result.outputs);
  await assert.rejects(call(grant, { id: 4, amount: "1.5" }, "call-1"), isCode("request.invalid"));
  // What the owner lets come back is less now: the answer of before has more.
  const less = { ...grant, returns: [["Id"], ["Name"]] } as Grant;
  await assert.rejects(call(less, { id: 3, amount: "1.5" }, "call-1"), isCode("request.invalid"));
  assert.deepEqual(await logged(), ["close"]);
});

test("an answer that was cut where it was kept is a limit's error, and nothing is done again", async () => {
  await server.admin("DELETE FROM dbo.Log");
  const grant = { ...CLOSE, requestTable: "dbo.Requests" } as Grant;
  await call(grant, { id: 3, amount: "1.5" }, "call-cut");
  await server.admin(`UPDATE dbo.Requests SET Answer = N'{"return":3,"outp' WHERE RequestKey = N'call-cut'`);
  await assert.rejects(call(grant, { id: 3, amount: "1.5" }, "call-cut"), isCode("limit.bytes"));
  assert.deepEqual(await logged(), ["close"]);
});

test("a procedure that is not there, and a parameter whose letters its code page has not", async () => {
  await assert.rejects(call(grantOf("dbo.Nothing"), {}), isCode("sql.not_found"));
  const narrow = grantOf("dbo.Close", { parameters: { id: { type: "varchar(10)" } } });
  await assert.rejects(call(narrow, { id: "Ж" }), isCode("request.invalid"));
});

test("a procedure that commits by itself is never told as one that changed nothing", async () => {
  await server.admin("DELETE FROM dbo.Log");
  await assert.rejects(call(grantOf("dbo.CommitsItself"), {}), isCode("write.outcome_unknown"));
  assert.deepEqual(await logged(), ["for good"]);
});

test("the name of a table type is quoted where it is declared", () => {
  const { type, ...parameter } = tableParameter("t", "dbo.Lines; --", { Id: "int" }, { columns: ["Id"], rows: [] });
  const { declaration } = type as unknown as { declaration(parameter: unknown): string };
  assert.equal(declaration(parameter), "[dbo].[Lines; --] readonly");
});
