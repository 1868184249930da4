/** `sql.changes` by Change Tracking. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlChanges } from "@sallyport/shared/schema/operations.ts";
import fc from "fast-check";
import { createRecorder } from "./test-output.ts";
import { fold, runPull, sorted } from "./test-run.ts";
import { serve, startTestServer, type TestServer } from "./test-server.ts";
import { type Act, act, createWriter, type Rows } from "./test-writer.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin("ALTER DATABASE ERP SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)");
  await server.admin("GRANT VIEW CHANGE TRACKING TO svc_sallyport");
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code);
  return true;
};
const changes = (table: string, more: Partial<SqlChanges> = {}): SqlChanges => ({
  ...{ op: "sql.changes", table, columns: "*", by: "changeTracking" },
  ...more,
});
const make = (table: string): Promise<void> =>
  server.admin(
    `CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, N int NOT NULL); ALTER TABLE ${table} ENABLE CHANGE_TRACKING`,
  );

test("first all rows as inserts, then what happened to each key since", async () => {
  await make("dbo.Plain");
  await server.admin("INSERT INTO dbo.Plain VALUES (1, 10), (2, 20), (3, 30)");
  const first = await runPull(server, changes("dbo.Plain"));
  assert.deepEqual(first.names, ["_op", "Id", "N"]);
  assert.deepEqual(first.rows, [
    ["insert", 1, 10],
    ["insert", 2, 20],
    ["insert", 3, 30],
  ]);
  const { to, ...plan } = first.plan;
  assert.deepEqual(plan, { key: ["Id"], isolation: "readCommitted", consistency: "fuzzy" });
  assert.match(to ?? "", /^ct\/[0-9]+\/1\//);

  await server.admin(
    "UPDATE dbo.Plain SET N = 11 WHERE Id = 1; DELETE FROM dbo.Plain WHERE Id = 2; INSERT INTO dbo.Plain VALUES (4, 40)",
  );
  await server.admin("UPDATE dbo.Plain SET Id = 5 WHERE Id = 3");
  const next = await runPull(server, changes("dbo.Plain"), { from: to! });
  assert.deepEqual(sorted(next.rows.map(([op, ...row]) => [...row, op!])), [
    [1, 11, "update"],
    [2, null, "delete"],
    [3, null, "delete"],
    [4, 40, "insert"],
    [5, 30, "insert"],
  ]);
  assert.deepEqual([next.plan.isolation, next.plan.consistency], ["snapshot", "exact"]);
  const dying = await runPull(server, changes("dbo.Plain"), { from: to!, deaths: [0, 1, 3] });
  assert.equal(dying.sessions, 4, "sessions do die where these tests let them");
  assert.deepEqual(dying.rows, next.rows);
  const empty = await runPull(server, changes("dbo.Plain"), { from: next.plan.to! });
  assert.deepEqual(empty.rows, []);
  await server.admin(
    "CREATE TABLE dbo.Beside (Id int PRIMARY KEY); ALTER TABLE dbo.Beside ENABLE CHANGE_TRACKING; INSERT INTO dbo.Beside VALUES (1)",
  );
  const quiet = await runPull(server, changes("dbo.Plain"), { from: empty.plan.to! });
  assert.notEqual(quiet.plan.to?.split("/")[2], empty.plan.to?.split("/")[2], "the watermark moves on without rows");
});

test("columns of a row that is gone are NULL, so all but the key may be", async () => {
  const output = createRecorder();
  await serve(server, changes("dbo.Plain"), output);
  assert.deepEqual(
    output.columns.map(({ name, nullable, source }) => [name, nullable, source]),
    [
      ["_op", false, "varchar(6)"],
      ["Id", false, "int"],
      ["N", true, "int"],
    ],
  );
  await assert.rejects(
    serve(server, changes("dbo.Plain", { columns: ["N"] }), createRecorder()),
    isCode("request.invalid"),
  );
  const grant = { kind: "table", rule: "r", columns: ["N"] } as const;
  await assert.rejects(
    serve(server, changes("dbo.Plain", { columns: ["N"] }), createRecorder(), { grant }),
    isCode("request.invalid"),
  );
});

test("folding the manifests by key is the table as of the last version, whatever dies and whoever writes meanwhile", async () => {
  let table = 0;
  const run = fc.record({
    deaths: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 }),
    meanwhile: fc.array(act, { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(act, { maxLength: 10 }), run), { minLength: 2, maxLength: 5 }),
      fc.boolean(),
      async (rounds, convergent) => {
        const name = `dbo.Random${++table}`;
        await make(name);
        const history = new Map<string, Rows>([[await version(), new Map()]]);
        const writer = createWriter(server, name, async (rows) => void history.set(await version(), rows));
        const folded = new Map();
        let from: string | undefined;
        const write = async (acts: readonly Act[]): Promise<void> => {
          for (const each of acts) await writer.act(each);
        };
        const operation = changes(name, convergent ? { consistency: "convergent" } : {});
        for (const [acts, { deaths, meanwhile }] of rounds) {
          await write(acts);
          const isFirst = from === undefined;
          const result = await runPull(server, operation, { from, deaths, meanwhile: () => write(meanwhile) });
          fold(folded, result);
          from = result.plan.to!;
          if (isFirst || convergent) continue;
          const expected = history.get(from.split("/")[2]!)!;
          assert.deepEqual(sorted(folded.values()), sorted(expected));
        }
        // Once nobody writes, every way converges.
        await writer.settle();
        fold(folded, await runPull(server, operation, { from }));
        assert.deepEqual(sorted(folded.values()), sorted(writer.committed));
      },
    ),
    { numRuns: 20 },
  );
});

const version = async (): Promise<string> => {
  const { rows } = await server.server.sql("SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v");
  return String(rows[0]?.v);
};

test("a lost watermark: cleaned up, ahead of the database, another table", async () => {
  await make("dbo.Lost");
  await server.admin("INSERT INTO dbo.Lost VALUES (1, 1)");
  const { to } = (await runPull(server, changes("dbo.Lost"))).plan;
  const read = (from: string, more = {}) => serve(server, changes("dbo.Lost", { from, ...more }), createRecorder());
  await read(to!);
  await server.admin("UPDATE dbo.Lost SET N = 2");
  const [kind, objectId, current, at] = to!.split("/");
  await assert.rejects(read(`${kind}/${objectId}/${Number(current) + 100}/${at}`), isCode("sql.watermark_lost"));
  server.server.cleanUpChanges(BigInt(current!) + 1n);
  await assert.rejects(read(to!), isCode("sql.watermark_lost"));
  await assert.rejects(read(to!, { consistency: "convergent" }), isCode("sql.watermark_lost"));
  await server.admin("DROP TABLE dbo.Lost");
  await make("dbo.Lost");
  await assert.rejects(read(`${kind}/${objectId}/${Number(current) + 1}/${at}`), isCode("sql.watermark_lost"));
  for (const bad of ["00000000000007d1", "ct/1/x/y", "cdc/1/00000000000000000001/2026-01-01T00:00:00.000Z"]) {
    await assert.rejects(read(bad), isCode("request.invalid"));
  }
  await assert.rejects(read(to!, { to: to! }), isCode("request.invalid"));
});

test("without snapshots the run refuses and says what allows them; `convergent` does without", async () => {
  await make("dbo.Unsnapped");
  const { to } = (await runPull(server, changes("dbo.Unsnapped"))).plan;
  await server.admin("INSERT INTO dbo.Unsnapped VALUES (1, 1); ALTER DATABASE ERP SET ALLOW_SNAPSHOT_ISOLATION OFF");
  const from = to!;
  await assert.rejects(serve(server, changes("dbo.Unsnapped", { from }), createRecorder()), (error) => {
    isCode("sql.snapshot_unavailable")(error);
    assert.equal((error as SallyportError).detail.statement, "ALTER DATABASE [ERP] SET ALLOW_SNAPSHOT_ISOLATION ON");
    return true;
  });
  const output = createRecorder();
  await serve(server, changes("dbo.Unsnapped", { from, consistency: "convergent" }), output);
  assert.deepEqual(output.rows, [["insert", 1, 1]]);
  assert.deepEqual([output.plan?.isolation, output.plan?.consistency], ["readCommitted", "fuzzy"]);
  await server.admin("ALTER DATABASE ERP SET ALLOW_SNAPSHOT_ISOLATION ON");
});

test("a table that is not tracked, has no primary key, or may not be seen", async () => {
  await server.admin(
    "CREATE TABLE dbo.Untracked (Id int NOT NULL PRIMARY KEY); CREATE TABLE dbo.Keyless (Id int NOT NULL)",
  );
  await server.admin("CREATE UNIQUE INDEX u ON dbo.Keyless (Id)");
  const read = (table: string) => serve(server, changes(table), createRecorder());
  await assert.rejects(read("dbo.Untracked"), isCode("sql.not_tracked"));
  await assert.rejects(read("dbo.Keyless"), isCode("sql.no_key"));
  await server.admin("REVOKE VIEW CHANGE TRACKING FROM svc_sallyport");
  await assert.rejects(read("dbo.Plain"), isCode("sql.not_tracked"));
  await server.admin("GRANT VIEW CHANGE TRACKING TO svc_sallyport");
});

test("half of the retention gone by is a warning", async () => {
  const { to } = (await runPull(server, changes("dbo.Plain"))).plan;
  const [kind, objectId, current] = to!.split("/");
  const ago = (hours: number) =>
    `${kind}/${objectId}/${current}/${new Date(Date.now() - hours * 3_600_000).toISOString()}`;
  assert.deepEqual((await runPull(server, changes("dbo.Plain"), { from: ago(23) })).warnings, []);
  const { warnings } = await runPull(server, changes("dbo.Plain"), { from: ago(25) });
  assert.deepEqual(warnings, [{ code: "sql.retention", facts: { sinceMinutes: 1500, keptMinutes: 2880 } }]);
});
