/** `sql.changes` by Change Data Capture. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlChanges } from "@sallyport/shared/schema/operations.ts";
import fc from "fast-check";
import { createRecorder } from "./test-output.ts";
import { fold, runPull, sorted } from "./test-run.ts";
import { serve, startTestServer, type TestServer } from "./test-server.ts";
import { type Act, act, type Change, createWriter } from "./test-writer.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin("CREATE TABLE dbo.Early (Id int NOT NULL PRIMARY KEY)");
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code);
  return true;
};
const changes = (table: string, more: Partial<SqlChanges> = {}): SqlChanges => ({
  ...{ op: "sql.changes", table, columns: "*", by: "cdc" },
  ...more,
});
const capture = (table: string, instance = ""): Promise<void> =>
  server.admin(
    `EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'${table}', @role_name = NULL${instance === "" ? "" : `, @capture_instance = N'${instance}'`}`,
  );
const make = async (table: string): Promise<void> => {
  await server.admin(`CREATE TABLE dbo.${table} (Id int NOT NULL PRIMARY KEY, N int NOT NULL)`);
  await capture(table);
};
const lsn = async (sql = "sys.fn_cdc_get_max_lsn()"): Promise<string> => {
  const { rows } = await server.server.sql(`SELECT ${sql} AS l`);
  return Buffer.from(rows[0]?.l as Uint8Array).toString("hex");
};
const lsnOf = (watermark: string): string => watermark.split("/")[2]!;

test("a database or table without CDC", async () => {
  await assert.rejects(serve(server, changes("dbo.Early"), createRecorder()), isCode("sql.not_tracked"));
  await server.admin("EXEC sys.sp_cdc_enable_db");
  await assert.rejects(serve(server, changes("dbo.Early"), createRecorder()), isCode("sql.not_tracked"));
});

test("first all rows, then every change in the order of commits, with what was there before an update", async () => {
  await make("Plain");
  await server.admin("INSERT INTO dbo.Plain VALUES (1, 10), (2, 20)");
  const first = await runPull(server, changes("dbo.Plain"));
  assert.deepEqual(first.rows, [
    ["insert", 1, 10],
    ["insert", 2, 20],
  ]);
  const from = first.plan.to!;
  assert.equal(lsnOf(from), await lsn());
  assert.deepEqual((await runPull(server, changes("dbo.Plain"), { from })).rows, []);
  await server.admin(
    "UPDATE dbo.Plain SET N = 11 WHERE Id = 1; DELETE FROM dbo.Plain WHERE Id = 1; INSERT INTO dbo.Plain VALUES (1, 12)",
  );
  const next = await runPull(server, changes("dbo.Plain"), { from });
  assert.deepEqual(next.rows, [
    ["before", 1, 10],
    ["update", 1, 11],
    ["delete", 1, 11],
    ["insert", 1, 12],
  ]);
  assert.deepEqual([next.plan.key, next.plan.isolation, next.plan.consistency], [["Id"], "readCommitted", "exact"]);
});

test("every committed change in commit order, once, whatever dies; and the fold is the table", async () => {
  let table = 0;
  const deaths = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 });
  const round = fc.tuple(fc.array(act, { maxLength: 12 }), fc.array(act, { maxLength: 3 }), deaths);
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 2, maxLength: 4 }), async (rounds) => {
      const name = `Random${++table}`;
      await make(name);
      /** What was committed, with its LSN. */
      const log: { readonly lsn: string; readonly changes: readonly Change[] }[] = [];
      const writer = createWriter(server, `dbo.${name}`, async (_, changed) => {
        if (changed.length > 0) log.push({ lsn: await lsn(), changes: changed });
      });
      const write = async (acts: readonly Act[]): Promise<void> => {
        for (const each of acts) await writer.act(each);
      };
      const folded = new Map();
      let from: string | undefined;
      for (const [acts, meanwhile, dying] of rounds) {
        await write(acts);
        const run = { from, deaths: dying, meanwhile: () => write(meanwhile), pace: { sliceRows: 2 } };
        const result = await runPull(server, changes(`dbo.${name}`), run);
        fold(folded, result);
        const to = result.plan.to!;
        if (from !== undefined) {
          const low = lsnOf(from);
          const expected = log
            .filter((each) => each.lsn > low && each.lsn <= lsnOf(to))
            .flatMap((each) => each.changes);
          assert.deepEqual(result.rows, expected);
        }
        from = to;
      }
      await writer.settle();
      fold(folded, await runPull(server, changes(`dbo.${name}`), { from }));
      assert.deepEqual(sorted(folded.values()), sorted(writer.committed));
    }),
    { numRuns: 15 },
  );
});

test("a slice ends where a transaction does", async () => {
  await make("Sliced");
  const from = (await runPull(server, changes("dbo.Sliced"))).plan.to!;
  await server.admin("INSERT INTO dbo.Sliced VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)");
  await server.admin("INSERT INTO dbo.Sliced VALUES (6, 6)");
  const output = createRecorder({ stopAt: 1 });
  const pace = { sliceRows: 2, checkpointBytes: 1 };
  const outcome = await serve(server, changes("dbo.Sliced", { from }), output, { pace });
  assert.deepEqual([outcome.complete, output.rows.length], [false, 5]);
  assert.match(outcome.position ?? "", /^[0-9a-f]{20}$/);
  const rest = createRecorder();
  const resumed = changes("dbo.Sliced", { from, plan: output.plan!, position: outcome.position! });
  assert.equal((await serve(server, resumed, rest, { pace })).complete, true);
  assert.deepEqual(rest.rows, [["insert", 6, 6]]);
});

test("a lost watermark: cleaned up, ahead of the database, another capture instance", async () => {
  await make("Lost");
  await server.admin("INSERT INTO dbo.Lost VALUES (1, 1)");
  const from = (await runPull(server, changes("dbo.Lost"))).plan.to!;
  const read = (since: string) => serve(server, changes("dbo.Lost", { from: since }), createRecorder());
  await server.admin("UPDATE dbo.Lost SET N = 2; UPDATE dbo.Lost SET N = 3");
  await read(from);
  const [kind, objectId, , at] = from.split("/");
  await assert.rejects(read(`${kind}/${objectId}/${"f".repeat(20)}/${at}`), isCode("sql.watermark_lost"));
  await server.admin(
    "DECLARE @low binary(10) = sys.fn_cdc_get_max_lsn(); EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_Lost', @low_water_mark = @low",
  );
  await assert.rejects(read(from), isCode("sql.watermark_lost"));
  await server.admin(
    "EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N'Lost', @capture_instance = N'dbo_Lost'",
  );
  await capture("Lost");
  await assert.rejects(read(`${kind}/${objectId}/${await lsn()}/${at}`), isCode("sql.watermark_lost"));
  await assert.rejects(read("ct/1/1/2026-01-01T00:00:00.000Z"), isCode("request.invalid"));
});

test("of two capture instances the newest is read, or the named one; rowversion is kept as binary", async () => {
  await server.admin("CREATE TABLE dbo.Twice (Id int NOT NULL PRIMARY KEY, V rowversion NOT NULL)");
  await capture("Twice", "first");
  await capture("Twice", "second");
  const instanceOf = async (more: Partial<SqlChanges>): Promise<string | undefined> => {
    const { plan } = await runPull(server, changes("dbo.Twice", more));
    const { rows } = await server.server.sql("SELECT object_id AS id, capture_instance AS name FROM cdc.change_tables");
    return rows.find(({ id }) => String(id) === plan.to?.split("/")[1])?.name as string;
  };
  assert.equal(await instanceOf({}), "second");
  assert.equal(await instanceOf({ captureInstance: "FIRST" }), "first");
  await assert.rejects(instanceOf({ captureInstance: "third" }), isCode("sql.not_tracked"));
  const schemas = [];
  const from = (await runPull(server, changes("dbo.Twice"))).plan.to!;
  await server.admin("INSERT INTO dbo.Twice (Id) VALUES (1)");
  for (const more of [{}, { from }]) {
    const output = createRecorder();
    await serve(server, changes("dbo.Twice", more), output);
    schemas.push(output.columns.map(({ name, source, nullable }) => [name, source, nullable]));
    assert.equal(output.rows.length, 1);
  }
  assert.deepEqual(schemas[0], schemas[1], "every run has one schema");
  assert.deepEqual(schemas[0]?.at(-1), ["V", "binary(8)", true]);
});

test("a capture job that has not yet come to where the instance begins loses nothing", async () => {
  await make("Behind");
  await server.admin("INSERT INTO dbo.Behind VALUES (1, 1)");
  const least = await lsn("sys.fn_cdc_get_min_lsn(N'dbo_Behind')");
  const read = (from?: string) => runPull(server, changes("dbo.Behind"), { from });
  const kept = await server.server.sql(`SELECT start_lsn AS l FROM cdc.lsn_time_mapping WHERE start_lsn >= 0x${least}`);
  await server.admin(`DELETE FROM cdc.lsn_time_mapping WHERE start_lsn >= 0x${least}`);
  const first = await read();
  assert.deepEqual(first.rows, [["insert", 1, 1]]);
  const still = await read(first.plan.to!);
  assert.deepEqual([still.rows, lsnOf(still.plan.to!)], [[], lsnOf(first.plan.to!)]);
  for (const { l } of kept.rows) {
    const hex = Buffer.from(l as Uint8Array).toString("hex");
    await server.admin(`INSERT INTO cdc.lsn_time_mapping (start_lsn) VALUES (0x${hex})`);
  }
  assert.deepEqual((await read(still.plan.to!)).rows, [["insert", 1, 1]]);
});

test("half of the retention gone by is a warning; where the login may not know it, the usual one counts", async () => {
  const from = (await runPull(server, changes("dbo.Plain"))).plan.to!;
  const [kind, objectId, version] = from.split("/");
  const ago = (hours: number) =>
    `${kind}/${objectId}/${version}/${new Date(Date.now() - hours * 3_600_000).toISOString()}`;
  assert.deepEqual((await runPull(server, changes("dbo.Plain"), { from: ago(35) })).warnings, []);
  const { warnings } = await runPull(server, changes("dbo.Plain"), { from: ago(37) });
  assert.deepEqual(warnings, [{ code: "sql.retention", facts: { sinceMinutes: 2220, keptMinutes: 4320 } }]);
});

test("what may not be read, or is not captured", async () => {
  const grant = { kind: "table", rule: "r", columns: ["N"] } as const;
  const hidden = serve(server, changes("dbo.Plain", { columns: ["N"] }), createRecorder(), { grant });
  await assert.rejects(hidden, isCode("request.invalid"));
  const missing = serve(server, changes("dbo.Plain", { columns: ["Id", "Other"] }), createRecorder());
  await assert.rejects(missing, isCode("sql.not_found"));
  await server.admin(
    "CREATE LOGIN narrow WITH PASSWORD = 'Narrow-1'; CREATE USER narrow FOR LOGIN narrow; GRANT SELECT ON dbo.Plain TO narrow",
  );
  const credential = { user: "narrow", password: "Narrow-1", signIn: "sql" };
  const narrow = serve(server, changes("dbo.Plain"), createRecorder(), { target: { credential } });
  await assert.rejects(narrow, isCode("sql.permission"));
});

test("a column that the table has no more is not read from what is kept of it, by `*` or by its name", async () => {
  await server.admin("CREATE TABLE dbo.Wide (Id int NOT NULL PRIMARY KEY, N int NOT NULL, Pin nvarchar(10) NULL)");
  await capture("Wide");
  await server.admin("INSERT INTO dbo.Wide VALUES (1, 10, N'1234')");
  // As after a DROP COLUMN, which the emulator has not: the instance is one of a table without it.
  await server.admin("CREATE TABLE dbo.Lean (Id int NOT NULL PRIMARY KEY, N int NOT NULL)");
  await server.admin(
    "UPDATE cdc.change_tables SET source_object_id = OBJECT_ID('dbo.Lean') WHERE capture_instance = 'dbo_Wide'",
  );
  const { plan } = await runPull(server, changes("dbo.Lean"));
  const [kind, object] = plan.to!.split("/");
  const from = `${kind}/${object}/${await lsn("sys.fn_cdc_get_min_lsn('dbo_Wide')")}/2026-01-01T00:00:00.000Z`;
  const next = await runPull(server, changes("dbo.Lean"), { from });
  assert.deepEqual(next.rows, [["insert", 1, 10]]);
  const named = changes("dbo.Lean", { from, columns: ["Id", "Pin"] });
  await assert.rejects(serve(server, named, createRecorder()), isCode("sql.not_found"));
});

test("a computed column, of which a change table has NULL, is not read: left out of `*`, refused by its name and in a key", async () => {
  await server.admin("CREATE TABLE dbo.Sums (Id int NOT NULL PRIMARY KEY, N int NOT NULL, Twice int NULL)");
  await capture("Sums");
  await server.admin("INSERT INTO dbo.Sums VALUES (1, 10, 20)");
  const compute = (name: string): Promise<void> =>
    server.admin(`UPDATE sys.columns SET is_computed = CASE name WHEN '${name}' THEN 1 ELSE 0 END
      WHERE object_id = OBJECT_ID('dbo.Sums')`);
  await compute("Twice");
  const first = await runPull(server, changes("dbo.Sums"));
  await server.admin("UPDATE dbo.Sums SET N = 11, Twice = 22");
  const next = await runPull(server, changes("dbo.Sums"), { from: first.plan.to! });
  assert.deepEqual([first.names, next.names], [next.names, ["_op", "Id", "N"]]);
  assert.deepEqual(next.rows.at(-1), ["update", 1, 11]);
  const named = changes("dbo.Sums", { columns: ["Id", "twice"] });
  await assert.rejects(serve(server, named, createRecorder()), isCode("request.invalid"));
  await compute("Id");
  await assert.rejects(serve(server, changes("dbo.Sums"), createRecorder()), isCode("request.invalid"));
});

test("a login that may not read each captured column is served: the bound is none of `fn_cdc_get_min_lsn`", async () => {
  const denied = { kind: "error", afterRows: 0, number: 229 } as const;
  const off = server.server.faults.add(denied, { statement: /fn_cdc_get_min_lsn/ });
  const { plan } = await runPull(server, changes("dbo.Plain", { columns: ["Id"] }));
  await runPull(server, changes("dbo.Plain", { columns: ["Id"] }), { from: plan.to! });
  off();
});

test("a change table that the login may not see is the right that is missing, by its name", async () => {
  await make("Unseen");
  await server.admin("DELETE FROM sys.columns WHERE object_id = OBJECT_ID('cdc.dbo_Unseen_CT')");
  await assert.rejects(serve(server, changes("dbo.Unseen"), createRecorder()), (error: unknown) => {
    assert.ok(error instanceof SallyportError);
    assert.deepEqual([error.code, error.detail.table], ["sql.permission", "cdc.dbo_Unseen_CT"]);
    return true;
  });
});

test("Azure SQL Database keeps its jobs in the database itself, and no answer about them ends a run", async (t) => {
  const azure = await startTestServer({ engineEdition: 5 });
  t.after(() => azure.close());
  await azure.admin("EXEC sys.sp_cdc_enable_db; CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY)");
  await azure.admin(
    "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'Orders', @role_name = NULL",
  );
  const elsewhere = { kind: "error", afterRows: 0, number: 40515 } as const;
  azure.server.faults.add(elsewhere, { statement: /msdb/ });
  const [kind, objectId, version] = (await runPull(azure, changes("dbo.Orders"))).plan.to!.split("/");
  const from = `${kind}/${objectId}/${version}/${new Date(Date.now() - 37 * 3_600_000).toISOString()}`;
  const kept = async (): Promise<unknown> => {
    const { warnings } = await runPull(azure, changes("dbo.Orders"), { from });
    return warnings[0]?.facts.keptMinutes;
  };
  assert.equal(await kept(), 4320);
  await azure.admin("CREATE TABLE cdc.cdc_jobs (job_type nvarchar(20) NOT NULL, retention bigint NULL)");
  await azure.admin("INSERT INTO cdc.cdc_jobs VALUES (N'capture', NULL), (N'cleanup', 60)");
  assert.equal(await kept(), 60);
  const off = azure.server.faults.add(elsewhere, { statement: /cdc_jobs/ });
  assert.equal(await kept(), 4320);
  off();
});
