/** Every run comes to a final state by ticks and doorbells alone, whatever was lost: the wake index is what remembers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunState } from "@sallyport/shared/schema/pull.ts";
import { splitRunId } from "../store/ids.ts";
import type { PullKey } from "../store/runs.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { cancelRun } from "./cancel.ts";
import { resetPull } from "./define.ts";
import type { PullSettings } from "./settings.ts";
import { answer, idsFrom, idsIn, manifests, type TestProcess, testRig } from "./test-rig.ts";
import { refused, type TestSource, testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getRun, listRuns, startRun } from "./views.ts";

const azurite = await testAzurite();
const rig = await testRig(azurite);
const FINAL: ReadonlySet<RunState> = new Set(["published", "failed", "cancelled", "superseded", "expired"]);
const ROWS = 30;

interface Loss {
  readonly name: string;
  readonly settings?: Partial<PullSettings>;
  readonly definition?: Record<string, unknown>;
  /** Does the harm in an invocation of its own, whose bells nobody hears. */
  harm(deaf: TestProcess, key: PullKey, run: string, source: TestSource): Promise<void>;
  readonly ends: RunState;
}

const LOSSES: readonly Loss[] = [
  { name: "the first doorbell", harm: async () => undefined, ends: "published" },
  {
    name: "the doorbell after a failed session",
    harm: async (deaf, key, run, source) => {
      source.onBatch = async () => refused("connection.lost");
      await answer(deaf, key, run);
      source.onBatch = async () => undefined;
    },
    ends: "published",
  },
  {
    name: "the doorbell after a wait for an agent",
    harm: async (deaf, key, run, source) => {
      source.onBatch = async () => refused("agent.offline");
      await answer(deaf, key, run);
      source.onBatch = async () => undefined;
    },
    ends: "published",
  },
  {
    name: "the doorbell after a hand-over",
    settings: { claimSeconds: 0, sliceBytes: 1 },
    harm: async (deaf, key, run) => answer(deaf, key, run),
    ends: "published",
  },
  {
    name: "the holder, at work",
    harm: async (deaf, key, run, source) => {
      source.onBatch = async () => {
        deaf.faults.dead = true;
        throw new Error("the process is gone");
      };
      await answer(deaf, key, run).catch(() => undefined);
      source.onBatch = async () => undefined;
    },
    ends: "published",
  },
  {
    name: "the holder, each time it claims",
    settings: { claims: 1 },
    harm: async (deaf, key, run, source) => {
      source.onBatch = async () => {
        deaf.faults.dead = true;
        throw new Error("the process is gone");
      };
      await answer(deaf, key, run).catch(() => undefined);
    },
    ends: "failed",
  },
  {
    name: "the agent, for longer than the run may take",
    definition: { maxSeconds: 60 },
    harm: async (deaf, key, run, source) => {
      source.onBatch = async () => refused("agent.offline");
      await answer(deaf, key, run);
    },
    ends: "failed",
  },
  {
    name: "the holder that was asked to stop",
    harm: async (deaf, key, run, source) => {
      const canceller = rig.process(source);
      source.onBatch = async () => {
        assert.equal(await cancelRun(canceller, key.tenant, `${key.pull}.${run}`, "key:test"), "asked");
        deaf.faults.dead = true;
        throw new Error("the process is gone");
      };
      await answer(deaf, key, run).catch(() => undefined);
    },
    ends: "cancelled",
  },
  {
    name: "its turn, by a reset",
    harm: async (deaf, key) => resetPull(deaf, key).then(() => undefined),
    ends: "superseded",
  },
];

describe("a run ends although somebody lost", () => {
  for (const { name, settings = {}, definition = {}, harm, ends } of LOSSES) {
    it(name, async () => {
      const source = testSource(ROWS);
      const deaf = rig.process(source, settings);
      const key = await rig.pull(deaf, definition);
      const run = await startRun(deaf, key.tenant, key.pull);
      const id = splitRunId(run.id).run;
      await harm(deaf, key, id, source);
      // From here on only the timer rings, in processes that know nothing of what was before.
      const sweeper = rig.process(source, { ...settings, claimSeconds: 300 });
      for (let ticks = 0; !FINAL.has((await getRun(sweeper, key.tenant, run.id)).state); ticks++) {
        assert.ok(ticks < 20, "twenty minutes, and no end");
        sweeper.advance(60_000);
        // The service's clock too, by which a lease ends.
        sweeper.faults.dateShiftMs += 60_000;
        await tick(sweeper, sweeper.clock.now());
        for (const { bell } of sweeper.bells.splice(0)) {
          if (bell.pull === key.pull) await answer(sweeper, key, bell.run);
        }
      }
      const ended = await getRun(sweeper, key.tenant, run.id);
      assert.equal(ended.state, ends);
      const found = await manifests(sweeper, key);
      const ids = await Promise.all(found.map((manifest) => idsIn(sweeper, manifest)));
      assert.deepEqual(ids.flat(), ends === "published" ? idsFrom(1, ROWS) : []);
      assert.equal((await sweeper.store.runs.cursor(key))?.value.activeRun, null);
      assert.ok((await listRuns(sweeper, key.tenant, key.pull)).items.every(({ state }) => FINAL.has(state)));
    });
  }
});
