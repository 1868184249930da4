import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createRecorder } from "./test-output.ts";
import { runQuery, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;

before(async () => {
  server = await startTestServer();
  await server.admin(`
    CREATE TABLE dbo.Invoices (InvoiceId int NOT NULL PRIMARY KEY, Due date NOT NULL, Country nchar(2) NOT NULL,
      Amount decimal(38,10) NOT NULL, Seen datetime2(7) NULL);
    INSERT INTO dbo.Invoices VALUES (1, '2026-01-01', N'NO', 9999999999999999999999999999.9999999999, NULL),
      (2, '2026-02-01', N'SE', 0.0000000001, '2026-01-01T00:00:00.0000001'), (3, '2026-03-01', N'NO', -1.5, NULL)`);
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code);
  return true;
};

const statement = (sql: string, parameters: Record<string, string>, returns: readonly string[]) =>
  ({ kind: "statement", rule: "r", sql, parameters, returns }) as const;

const OPEN = statement(
  "SELECT InvoiceId, Amount FROM dbo.Invoices WHERE Due < @before AND Country = @country ORDER BY InvoiceId",
  { before: "date", country: "nchar(2)" },
  ["InvoiceId", "Amount"],
);

test("a statement of the owner's, with parameters", async () => {
  const output = createRecorder();
  assert.deepEqual(await runQuery(server, OPEN, { before: "2026-02-15", country: "NO" }, output), { complete: true });
  assert.deepEqual(output.rows, [[1, "9999999999999999999999999999.9999999999"]]);
  assert.deepEqual(
    output.columns.map(({ name, source }) => [name, source]),
    [
      ["InvoiceId", "int"],
      ["Amount", "decimal(38,10)"],
    ],
  );
  assert.deepEqual(output.plan, { to: null, key: [], isolation: "readCommitted", consistency: "statement" });
});

test("parameters keep every digit", async () => {
  const byAmount = statement(
    "SELECT InvoiceId FROM dbo.Invoices WHERE Amount = @amount OR Seen = @seen ORDER BY InvoiceId",
    { amount: "decimal(38,10)", seen: "datetime2(7)" },
    ["InvoiceId"],
  );
  const find = async (amount: string | null, seen: string | null) => {
    const output = createRecorder();
    await runQuery(server, byAmount, { amount, seen }, output);
    return output.rows.flat();
  };
  assert.deepEqual(await find("9999999999999999999999999999.9999999999", null), [1]);
  assert.deepEqual(await find("9999999999999999999999999999.9999999998", null), []);
  assert.deepEqual(await find(null, "2026-01-01T00:00:00.0000001"), [2]);
  assert.deepEqual(await find(null, "2026-01-01T00:00:00"), []);
});

test("a statement that gives other columns than the policy lists sends no row", async () => {
  const parameters = { before: "2027-01-01", country: "NO" };
  for (const returns of [
    ["InvoiceId"],
    ["Amount", "InvoiceId"],
    ["InvoiceId", "Other"],
    ["InvoiceId", "Amount", "More"],
  ]) {
    const output = createRecorder();
    await assert.rejects(runQuery(server, { ...OPEN, returns }, parameters, output), isCode("policy.denied"));
    assert.deepEqual([output.columns, output.rows], [[], []]);
  }
});

test("one result set, no more and no less", async () => {
  const two = statement("SELECT 1 AS a; SELECT 2 AS a", {}, ["a"]);
  await assert.rejects(runQuery(server, two, {}, createRecorder()), isCode("request.invalid"));
  const none = statement("DECLARE @x int = 1", {}, ["a"]);
  await assert.rejects(runQuery(server, none, {}, createRecorder()), isCode("request.invalid"));
});

test("a value that does not fit its parameter never reaches the server", async () => {
  await assert.rejects(
    runQuery(server, OPEN, { before: "01/02/2026", country: "NO" }, createRecorder()),
    isCode("request.invalid"),
  );
});

test("raw SQL, with what JSON says of its parameters", async () => {
  const output = createRecorder();
  const raw = { kind: "raw", rule: "r" } as const;
  await runQuery(
    server,
    raw,
    { id: 2 },
    output,
    "SELECT InvoiceId, Country AS c FROM dbo.Invoices WHERE InvoiceId = @id",
  );
  assert.deepEqual(output.rows, [[2, "SE"]]);
  const unnamed = runQuery(server, raw, {}, createRecorder(), "SELECT 1");
  await assert.rejects(unnamed, isCode("request.invalid"));
});

test("the server's errors, by number", async () => {
  const run = (sql: string) => runQuery(server, { kind: "raw", rule: "r" }, {}, createRecorder(), sql);
  await assert.rejects(run("SELECT a FROM dbo.Missing"), isCode("sql.not_found"));
  await assert.rejects(run("SELECT Missing FROM dbo.Invoices"), isCode("sql.not_found"));
  await assert.rejects(run("SELECT FROM dbo.Invoices"), isCode("sql.syntax"));
  await assert.rejects(run("SELECT 1 / 0 AS a"), isCode("sql.failed"));
});
