/** What runs already, and what a site's agents have announced, bound how many doorbells are rung at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent } from "../store/agents.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { claimRun } from "./claim.ts";
import { testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { startRun } from "./views.ts";

const rig = await testRig(await testAzurite());
const deps = rig.process(testSource(1), { agentSessions: 4, roundSeconds: 20 });

/** Starts runs of so many new pulls. */
async function start(count: number): Promise<string[]> {
  const pulls: string[] = [];
  for (let started = 0; started < count; started++) {
    const { pull } = await rig.pull(deps);
    await startRun(deps, "acme", pull);
    pulls.push(pull);
  }
  return pulls;
}

let nowMs = Date.now() + 60_000;

/** The next tick: the wait of each doorbell in seconds, in the order in which they are rung. */
async function waits(): Promise<number[]> {
  deps.bells.length = 0;
  nowMs += 61_000;
  await tick(deps, nowMs);
  return deps.bells.map(({ atMs }) => (atMs === undefined ? 0 : (atMs - nowMs) / 1000));
}

test("two that run take two of the four places, also for one that is due alone", async () => {
  const [first, second] = await start(2);
  for (const pull of [first!, second!]) {
    const key = { tenant: "acme", pull };
    const active = (await deps.store.runs.cursor(key))?.value.activeRun;
    assert.ok(active);
    assert.equal((await claimRun(deps, key, active)).do, "work");
  }
  await start(5);
  assert.deepEqual(await waits(), [0, 0, 20, 20, 20]);
});

test("the places are those that agents have announced; one that is locked or was not reached has none", async () => {
  const at = new Date().toISOString();
  const agent = (over: Partial<Agent>): Agent => ({
    ...{ tenant: "acme", site: "plant", status: "active", identity: {}, kid: "k".repeat(43), unseal: "", host: "h" },
    ...{ hybridConnection: "a", version: "0.1.0", codeId: "c", enrolledAt: at, revokedAt: null, seenAt: at },
    ...{ journal: null, policy: null, locked: false, draining: false, maxSessions: 3 },
    ...{
      reachedAt: null,
      canaryAt: null,
      canary: null,
      canaryCode: null,
      updates: null,
      versionAt: null,
      journalAlert: null,
    },
    ...{ previous: null, unsealStatement: null, unsealBy: null },
    ...over,
  });
  const failed = { canary: { id: "c".repeat(32), sentAt: at }, canaryCode: "agent.offline" };
  for (const [index, over] of [{}, { maxSessions: 2 }, { locked: true }, failed].entries()) {
    await deps.store.agents.insert(String(index).repeat(32), agent({ ...over, kid: String(index).repeat(43) }));
  }
  // Two run still, five wait: of five places three are left.
  assert.deepEqual(await waits(), [0, 0, 0, 20, 20]);
});
