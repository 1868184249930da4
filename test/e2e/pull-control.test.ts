/** What people do with pulls besides running them, over HTTP and the whole embedded stack. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { TableClient } from "@azure/data-tables";
import { openStore } from "@sallyport/cloud/src/store/open.ts";
import { replaceCursor } from "@sallyport/cloud/src/store/runs.ts";
import { commit } from "@sallyport/cloud/src/store/tables.ts";
import type { PullView, RunView, Scope } from "@sallyport/shared/schema/api.ts";
import sql from "mssql";
import type { Api } from "../stack/api.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { runPull } from "../stack/pull.ts";
import { connectionConfig, fillSample } from "../stack/sample.ts";
import { CONNECTION, type Stack, startStack, TENANT } from "../stack/start.ts";

const PULLS = `/tenants/${TENANT}/pulls`;
const FLIGHTS = 2000;

describe("controlling pulls", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-control-"));
  let stack: Stack;
  let pool: sql.ConnectionPool;
  let keys = 0;
  const define = (id: string, more: object) =>
    stack.api.post(PULLS, {
      id,
      definition: {
        connection: CONNECTION,
        operation: { op: "sql.table", table: "dbo.Flights", columns: "*" },
        ...more,
      },
    });
  const ended = async (run: RunView): Promise<RunView> => {
    let now = run;
    while (["queued", "running", "waiting", "decided"].includes(now.state)) {
      await pause(100);
      now = await stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
    }
    return now;
  };
  const runOf = async (pull: string): Promise<RunView> => (await runPull(stack.api, TENANT, pull)).run;
  const keyWith = async (...scopes: Scope[]): Promise<Api> => {
    const made = await stack.api.post<{ key: string }>("/keys", { id: `key-${++keys}`, tenant: TENANT, scopes });
    return stack.api.as(made.key);
  };

  before(async () => {
    stack = await startStack({ folder, cleanup });
    cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
    pool = cleanup.add(await new sql.ConnectionPool(connectionConfig(stack.sqlServer.server)).connect(), (it) =>
      it.close(),
    );
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("by a growing column: everything, then what is new, and a backfill of the part in between", async () => {
    await define("by-column", { watermark: "column", watermarkColumn: "Id" });
    const first = await runOf("by-column");
    assert.deepEqual([first.state, first.rows, first.to], ["published", FLIGHTS, `["${FLIGHTS}"]`]);
    await pool.query(`INSERT INTO dbo.Flights (Id, DepartedAt, Delay, Distance, Origin, Destination)
      VALUES (${FLIGHTS + 1}, '2026-01-01', 1, 1, N'OSL', N'BGO'), (${FLIGHTS + 2}, '2026-01-01', 1, 1, N'OSL', N'BGO')`);
    const second = await runOf("by-column");
    assert.deepEqual([second.rows, second.from, second.to], [2, `["${FLIGHTS}"]`, `["${FLIGHTS + 2}"]`]);
    const asked = { kind: "backfill", from: '["10"]', to: '["30"]' };
    const backfill = await ended(await stack.api.post<RunView>(`${PULLS}/by-column/runs`, asked));
    assert.deepEqual([backfill.state, backfill.kind, backfill.rows], ["published", "backfill", 20]);
    const view = await stack.api.get<PullView>(`${PULLS}/by-column`);
    assert.deepEqual([view.watermark, view.seq, view.activeRun], [`["${FLIGHTS + 2}"]`, 3, null]);
  });

  it("paused and resumed, reset, and what a reset makes of the next run", async () => {
    await define("by-version", { watermark: "rowversion", schedule: { cron: "0 2 * * *" } });
    await runOf("by-version");
    const paused = await stack.api.post<PullView>(`${PULLS}/by-version/pause`, {});
    assert.deepEqual([paused.definition.paused, paused.nextDue, paused.revision], [true, null, 2]);
    const resumed = await stack.api.post<PullView>(`${PULLS}/by-version/resume`, {});
    assert.equal(resumed.definition.paused, false);
    assert.match(resumed.nextDue ?? "", /T02:00:00/);
    assert.notEqual(resumed.watermark, null);
    const reset = await stack.api.post<PullView>(`${PULLS}/by-version/reset`, {});
    assert.equal(reset.watermark, null);
    const again = await runOf("by-version");
    assert.deepEqual([again.from, again.rows], [null, FLIGHTS + 2]);
  });

  it("a failed run is started again, and only such a one", async () => {
    await define("missing", { operation: { op: "sql.table", table: "dbo.Later", columns: "*" } });
    const failed = await runOf("missing");
    assert.equal(failed.state, "failed");
    const retry = (run: RunView) => stack.api.post<RunView>(`/tenants/${TENANT}/runs/${run.id}/retry`, {});
    const second = await ended(await retry(failed));
    assert.equal(second.state, "failed");
    assert.notEqual(second.id, failed.id);
    const published = await runOf("by-version");
    await assert.rejects(retry(published), /api\.conflict/);
  });

  it("each needs its scope", async () => {
    const reader = await keyWith("pulls:read", "runs:read");
    const run = await runOf("by-version");
    assert.equal((await reader.get<PullView>(`${PULLS}/by-version`)).id, "by-version");
    for (const act of ["pause", "resume", "reset", "runs"]) {
      await assert.rejects(reader.post(`${PULLS}/by-version/${act}`, {}), /api\.forbidden/);
    }
    for (const act of ["cancel", "retry"]) {
      await assert.rejects(reader.post(`/tenants/${TENANT}/runs/${run.id}/${act}`, {}), /api\.forbidden/);
    }
    const nobody = await keyWith("data:read");
    await assert.rejects(nobody.get(`${PULLS}/by-version`), /api\.forbidden/);
  });

  it("a due pull is started by a tick over HTTP, by a key that may do nothing else", async () => {
    await define("nightly", { watermark: "rowversion", schedule: { cron: "0 2 * * *" } });
    // The night has come, and nothing ticked: its due time and its wake entry lie in the past.
    const options = { allowInsecureConnection: true };
    const { connectionString } = stack.storage;
    const store = openStore((name) => TableClient.fromConnectionString(connectionString, name, options), randomBytes);
    const key = { tenant: TENANT, pull: "nightly" };
    const cursor = (await store.runs.cursor(key))!;
    const due = { ...cursor.value, nextDue: new Date(Date.now() - 1000).toISOString() };
    assert.equal((await commit(store.runs.table, `${TENANT}|nightly`, [replaceCursor(due, cursor.etag)])).ok, true);
    await store.wake.insert(key, Date.now() - 1000);
    const made = await stack.api.post<{ key: string }>("/keys", {
      id: "ticker",
      tenant: null,
      scopes: ["schedule:tick"],
    });
    const report = await stack.api.as(made.key).post<{ failed: number }>("/schedule/tick", {});
    assert.equal(report.failed, 0);
    // By this tick, or by the timer's at the same moment: of two one wins.
    const runs = await stack.api.get<RunView[]>(`${PULLS}/nightly/runs`);
    assert.deepEqual(
      runs.map(({ kind }) => kind),
      ["scheduled"],
    );
    assert.equal((await ended(runs[0]!)).state, "published");
    assert.match((await stack.api.get<PullView>(`${PULLS}/nightly`)).nextDue ?? "", /T02:00:00/);
    await assert.rejects(stack.api.as(made.key).get(`${PULLS}/nightly`), /api\.forbidden/);
  });

  it("a tick by hand says what it did", async () => {
    const report = await stack.api.post<{ failed: number; rung: number; reindexed: number }>("/schedule/tick", {});
    assert.deepEqual([report.failed, report.rung], [0, 0]);
    assert.ok(report.reindexed >= 0);
  });
});
