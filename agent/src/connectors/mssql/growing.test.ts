import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createRecorder, type Recorder } from "./test-output.ts";
import { readTable, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code);
  return true;
};
const ids = ({ rows }: Recorder): number[] => rows.map(([id]) => Number(id));
const byColumn = { watermark: "column", watermarkColumn: "Changed" } as const;

/** One run, in as many sessions as it has checkpoints: each is stopped at its first one. */
async function runInPieces(table: string, from: string | undefined, meanwhile: () => Promise<void>) {
  const seen: number[] = [];
  let plan: Recorder["plan"];
  let position: string | undefined;
  for (let sessions = 1; ; sessions++) {
    const output = createRecorder({ stopAt: 1, batchBytes: 1 });
    const resumed = { ...(plan ? { plan } : {}), ...(position === undefined ? {} : { position }) };
    const operation = { ...byColumn, ...(from === undefined ? {} : { from }), ...resumed };
    const outcome = await readTable(server, table, output, { operation, pace: { checkpointBytes: 1 } });
    plan = output.plan;
    position = outcome.position;
    seen.push(...ids(output));
    if (outcome.complete) return { seen, to: plan?.to ?? undefined, sessions };
    await meanwhile();
  }
}

/** Types of a growing column, with values that follow each other closely. */
const TYPES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["int", ["1", "2", "3", "4"]],
  ["bigint", ["9007199254740992", "9007199254740993", "9007199254740994", "9223372036854775807"]],
  ["decimal(38,10)", ["0.0000000001", "0.0000000002", "1", "9999999999999999999999999999.9999999999"]],
  ["money", ["0.0001", "0.0002", "1", "922337203685477.5807"]],
  ["datetime2(7)", ["'2020-01-01T00:00:00.0000001'", "'2020-01-01T00:00:00.0000002'", "'2020-01-02'", "'2020-01-03'"]],
  ["datetime2(0)", ["'2020-01-01T00:00:00'", "'2020-01-01T00:00:01'", "'2020-01-02'", "'2020-01-03'"]],
  ["datetime", ["'2020-01-01T00:00:00.003'", "'2020-01-01T00:00:00.007'", "'2020-01-02'", "'2020-01-03'"]],
  [
    "datetimeoffset(7)",
    [
      "'2020-01-01T12:00:00.0000001+05:30'",
      "'2020-01-01T06:30:00.0000002+00:00'",
      "'2020-01-02T00:00:00+00:00'",
      "'2020-01-02T00:00:00-08:00'",
    ],
  ],
];

test("each row that was committed when the run began comes once, whatever its type and wherever it is cut", async (t) => {
  for (const [at, [type, values]] of TYPES.entries()) {
    await t.test(type, async () => {
      const [a, b, c, d] = values;
      const table = `dbo.Grow${at}`;
      await server.admin(`CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, Changed ${type} NOT NULL)`);
      // Four rows of one value: cut between them.
      await server.admin(`INSERT INTO ${table} VALUES (4, ${a}), (2, ${a}), (3, ${a}), (1, ${a}), (9, ${b})`);
      let id = 100;
      const first = await runInPieces(table, undefined, async () => {
        id += 1;
        await server.admin(`INSERT INTO ${table} VALUES (${id}, ${c})`);
      });
      assert.deepEqual(first.seen, [1, 2, 3, 4, 9]);
      assert.ok(first.sessions >= 5);
      const second = await runInPieces(table, first.to, async () => undefined);
      assert.deepEqual(
        second.seen,
        Array.from({ length: id - 100 }, (_, index) => 101 + index),
      );
      // Nothing new, and the greatest value gone: the watermark stays.
      await server.admin(`DELETE FROM ${table} WHERE Id > 100`);
      const third = await runInPieces(table, second.to, async () => undefined);
      assert.deepEqual([third.seen, third.to], [[], second.to]);
      await server.admin(
        `INSERT INTO ${table} VALUES (5, ${d}), (6, ${b}); UPDATE ${table} SET Changed = ${d} WHERE Id = 2`,
      );
      const fourth = await runInPieces(table, third.to, async () => undefined);
      // 6 came too late with its older value.
      assert.deepEqual(fourth.seen, [2, 5]);
    });
  }
});

test("values beyond the server's clock wait, and so do those within the lag", async () => {
  await server.admin("CREATE TABLE dbo.Clock (Id int NOT NULL PRIMARY KEY, Changed datetime2(3) NOT NULL)");
  await server.admin(`INSERT INTO dbo.Clock VALUES (1, DATEADD(hour, -2, SYSDATETIME())), (2, DATEADD(second, -600, SYSDATETIME())),
    (3, DATEADD(hour, 2, SYSDATETIME()))`);
  const read = async (more: object) => {
    const output = createRecorder();
    await readTable(server, "dbo.Clock", output, { operation: { ...byColumn, ...more } });
    return ids(output);
  };
  assert.deepEqual(await read({}), [1, 2]);
  assert.deepEqual(await read({ lagSeconds: 1800 }), [1]);
  assert.deepEqual(await read({ lagSeconds: 86_400 }), []);
});

test("a bound of the caller's own is kept: what a backfill asks for", async () => {
  await server.admin("CREATE TABLE dbo.Back (Id int NOT NULL PRIMARY KEY, Changed int NOT NULL)");
  await server.admin("INSERT INTO dbo.Back VALUES (1, 10), (2, 20), (3, 30), (4, 40)");
  const output = createRecorder();
  await readTable(server, "dbo.Back", output, { operation: { ...byColumn, from: '["10"]', to: '["30"]' } });
  assert.deepEqual(ids(output), [2, 3]);
  assert.equal(output.plan?.to, '["30"]');
});

test("the column is read for the order, and need not be asked for", async () => {
  const output = createRecorder();
  await readTable(server, "dbo.Back", output, { operation: { ...byColumn, columns: ["Id"] } });
  assert.deepEqual(output.rows, [[1], [2], [3], [4]]);
  const grant = { kind: "table", rule: "r", columns: ["Id"] } as const;
  const hidden = readTable(server, "dbo.Back", createRecorder(), {
    operation: { ...byColumn, columns: ["Id"] },
    grant,
  });
  await assert.rejects(hidden, isCode("policy.denied"));
});

test("an empty table has no watermark, and its first rows come with the next run", async () => {
  await server.admin("CREATE TABLE dbo.Empty (Id int NOT NULL PRIMARY KEY, Changed datetime2(7) NOT NULL)");
  const output = createRecorder();
  const outcome = await readTable(server, "dbo.Empty", output, { operation: byColumn });
  assert.deepEqual([output.rows, output.plan?.to, outcome.complete], [[], null, true]);
  await server.admin("INSERT INTO dbo.Empty VALUES (1, '2020-01-01')");
  const again = createRecorder();
  await readTable(server, "dbo.Empty", again, { operation: { ...byColumn, plan: output.plan! } });
  assert.deepEqual(again.rows, [], "the run's plan is what it was");
  const next = createRecorder();
  await readTable(server, "dbo.Empty", next, { operation: byColumn });
  assert.deepEqual(ids(next), [1]);
});

test("what cannot be a watermark is refused", async () => {
  await server.admin(`CREATE TABLE dbo.Bad (Id int NOT NULL PRIMARY KEY, Changed datetime2(7) NULL, Name nvarchar(10) NOT NULL, N int NOT NULL);
    CREATE TABLE dbo.Keyless (Changed int NOT NULL);
    INSERT INTO dbo.Bad VALUES (1, NULL, 'a', 1), (2, '2020-01-01', 'b', 2)`);
  const read = (table: string, more: object) =>
    readTable(server, table, createRecorder(), { operation: { ...byColumn, ...more } });
  await assert.rejects(read("dbo.Bad", {}), isCode("request.invalid"));
  await server.admin("DELETE FROM dbo.Bad WHERE Id = 1");
  await read("dbo.Bad", {});
  await assert.rejects(read("dbo.Bad", { watermarkColumn: "Name" }), isCode("request.invalid"));
  await assert.rejects(read("dbo.Bad", { watermarkColumn: "N", lagSeconds: 1 }), isCode("request.invalid"));
  await assert.rejects(read("dbo.Bad", { watermarkColumn: "None" }), isCode("sql.not_found"));
  await assert.rejects(read("dbo.Bad", { from: "00000000000007d1" }), isCode("request.invalid"));
  await assert.rejects(read("dbo.Keyless", {}), isCode("sql.no_key"));
});
