import assert from "node:assert/strict";
import { test } from "node:test";
import { testAzurite } from "../store/test-azurite.ts";
import { putPull } from "./define.ts";
import { testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

test("fourteen due pulls of one site are rung in rounds, and all of them in the end", async () => {
  const deps = rig.process(testSource(1), { agentSessions: 4, roundSeconds: 20 });
  const pulls: string[] = [];
  for (let count = 0; count < 14; count++) {
    const key = await rig.pull(deps);
    await startRun(deps, "acme", key.pull);
    pulls.push(key.pull);
  }
  deps.bells.length = 0;
  const nowMs = Date.now() + 120_000;
  await tick(deps, nowMs);
  const waits = deps.bells.map(({ atMs }) => (atMs === undefined ? 0 : (atMs - nowMs) / 1000));
  // The last two would be rung beyond the lead of the wake entries: their pulls are looked at again by then.
  assert.deepEqual(waits, [0, 0, 0, 0, 20, 20, 20, 20, 40, 40, 40, 40]);
  await tick(deps, nowMs + 61_000);
  const rung = new Set(deps.bells.map(({ bell }) => bell.pull));
  assert.deepEqual([...rung].toSorted(), pulls.toSorted());
});

test("one tenant's backlog does not keep another one's pull from being looked at", async () => {
  const deps = rig.process(testSource(1), { tickPulls: 2 });
  for (let count = 0; count < 5; count++) await startRun(deps, "acme", (await rig.pull(deps)).pull);
  const acme = await deps.store.runs.definition({ tenant: "acme", pull: "pull-1" });
  assert.ok(acme);
  const connection = { site: "plant", kind: "mssql" as const, createdAt: new Date().toISOString() };
  await deps.store.connections.insert("other", "erp", { ...connection, credentialVersion: null, credentialAt: null });
  await putPull(deps, { tenant: "other", pull: "late" }, acme.value.definition);
  await startRun(deps, "other", "late");
  deps.bells.length = 0;
  const report = await tick(deps, Date.now() + 120_000);
  assert.equal(report.pulls, 2);
  assert.deepEqual(deps.bells.map(({ bell }) => bell.tenant).toSorted(), ["acme", "other"]);
});
