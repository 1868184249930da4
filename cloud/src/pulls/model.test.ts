/**
 * docs/runs.md's promise under everything that can go wrong: the product's own code in a world where replies get lost, writes
 * land late, holders freeze beyond their lease or die, doorbells vanish or come twice, and people cancel and reset.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { manifest } from "@sallyport/shared/schema/pull.ts";
import fc from "fast-check";
import { publicRunId } from "../store/ids.ts";
import { cancelRun } from "./cancel.ts";
import { putPull, resetPull } from "./define.ts";
import type { PullDeps } from "./deps.ts";
import { manifestPath } from "./publish.ts";
import { hasEnded } from "./run.ts";
import { definitionOf, idsFrom } from "./test-rig.ts";
import { testWorld, type World } from "./test-world.ts";
import { startRun } from "./views.ts";

const key = { tenant: "acme", pull: "orders" };
type Disturbance = "none" | "cancel" | "reset";

/** What a reader holds who takes the manifests one after the other. */
function readerSees(world: World): number[] {
  let ids: number[] = [];
  for (let seq = 1; world.blobs.has(manifestPath(key, seq)); seq++) {
    const document = manifest.parse(JSON.parse(world.blobs.get(manifestPath(key, seq))!.toString()));
    if (document.replaces) ids = [];
    for (const { path } of document.parts) ids.push(...JSON.parse(world.blobs.get(path)!.toString()));
  }
  return ids;
}

async function live(seed: number, faults: number, disturbance: Disturbance, whenMs: number): Promise<World> {
  const world = testWorld(seed);
  world.begin(async (deps) => {
    const connection = { site: "plant", kind: "mssql" as const, createdAt: "2026-01-01T00:00:00.000Z" };
    await deps.store.connections.insert("acme", "erp", { ...connection, credentialVersion: null, credentialAt: null });
    await putPull(deps, key, definitionOf());
  });
  await world.settle();
  world.source = idsFrom(1, 6);
  world.faults = faults;
  const start = () => world.begin((deps) => startRun(deps, key.tenant, key.pull));
  start();
  world.at(whenMs, () => {
    world.source = idsFrom(1, 9);
    if (disturbance === "reset") world.begin((deps) => resetPull(deps, key));
    if (disturbance === "cancel") world.begin(cancelActive);
    start();
  });
  await world.settle();
  // A last run in fair weather: whatever happened, it brings the reader up to date.
  world.faults = 0;
  start();
  await world.settle();
  return world;
}

async function cancelActive(deps: PullDeps): Promise<void> {
  const cursor = await deps.store.runs.cursor(key);
  if (cursor?.value.activeRun) {
    await cancelRun(deps, key.tenant, publicRunId(key.pull, cursor.value.activeRun), "key:test");
  }
}

async function judge(world: World): Promise<void> {
  assert.deepEqual(readerSees(world), idsFrom(1, 9));
  const deps = world.invocation();
  const seen = Promise.all([
    deps.store.runs.cursor(key),
    deps.store.runs.runs(key, 100),
    deps.store.runs.outs(key, 10),
  ]);
  await world.settle();
  const [cursor, runs, outs] = await seen;
  assert.equal(cursor!.value.activeRun, null);
  assert.equal(cursor!.value.watermark, "9");
  assert.equal(cursor!.value.published, cursor!.value.seq);
  assert.deepEqual(outs, []);
  for (const { run } of runs) {
    assert.ok(hasEnded(run.value) && run.value.state !== "decided", `a run stays ${run.value.state}`);
    // Faults of the network must not become failures of the run.
    assert.notEqual(run.value.state, "failed");
  }
}

test("in fair weather two runs give two manifests", async () => {
  const world = await live(1, 0, "none", 600_000);
  await judge(world);
  assert.deepEqual([...world.blobs.keys()].filter((path) => path.includes("/manifests/")).length, 2);
});

test("whatever goes wrong, every row is visible exactly once, and everything comes to an end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 0, max: 5 }),
      fc.constantFrom<Disturbance>("none", "cancel", "reset"),
      fc.integer({ min: 0, max: 3000 }),
      async (seed, faults, disturbance, whenMs) => judge(await live(seed, faults, disturbance, whenMs)),
    ),
    { numRuns: 60 },
  );
});
