/**
 * Two function hosts on the same tables and queue: kills of either, and a holder that is held still (SIGSTOP) in the middle of
 * a step until the other one has taken over its run, and then goes on with what it had in its hands.
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Stored } from "@sallyport/cloud/src/store/record.ts";
import type { Run } from "@sallyport/cloud/src/store/runs.ts";
import { until } from "../processes.ts";
import type { Check } from "../suite.ts";
import { quiet, runOnce, STUCK_MS } from "./drive.ts";
import type { Host } from "./host.ts";
import type { Lane } from "./lane.ts";
import { createMatcher } from "./matcher.ts";
import type { OnReply } from "./proxies/http.ts";
import type { Seen, Step } from "./seen.ts";

interface Pause {
  /** The holder stops when it has sent this, and the proxy forwards it only after it goes on. */
  readonly step: Step;
  readonly nth?: number;
  readonly slow?: boolean;
  /** How far the other host has got by then. */
  readonly until: "taken over" | "ended";
  /** Whether the step itself changes the run: then it must have been refused. */
  readonly refused: boolean;
}

export const PAUSES: readonly Pause[] = [
  { step: "plan", until: "ended", refused: true },
  { step: "block", until: "ended", refused: false },
  { step: "block list", until: "taken over", refused: false },
  { step: "slice list", until: "ended", refused: false },
  { step: "slice commit", until: "ended", refused: true },
  { step: "slice commit", nth: 2, slow: true, until: "taken over", refused: true },
  { step: "renewal", slow: true, until: "taken over", refused: true },
  { step: "decide", until: "ended", refused: true },
];

const LOOK_MS = 100;

/** What a host wrote to runs, and what was answered. */
export interface Reply {
  readonly seen: Seen;
  readonly status: number;
}

/** Keeps the answers to writes of runs: the inner status of a transaction. */
export function createReplies(): { readonly all: Reply[]; readonly onReply: OnReply } {
  const all: Reply[] = [];
  const onReply: OnReply = (seen, status, body) => {
    if (seen.run === undefined) return;
    const inner = /^HTTP\/1\.1 (\d{3})/m.exec(body)?.[1];
    all.push({ seen, status: inner === undefined ? status : Number(inner) });
  };
  return { all, onReply };
}

/** The two hosts, each with its own book of replies. */
export interface Pair {
  readonly lane: Lane;
  readonly hosts: readonly { readonly host: Host; readonly replies: readonly Reply[] }[];
}

const KILLS_A_HOST = 4;
const KILL_STEPS: readonly Step[] = ["claim", "block", "slice commit", "tell"];

export async function checkPair(check: Check, pair: Pair): Promise<void> {
  const { lane, hosts } = pair;
  await check(`two hosts, each killed ${KILLS_A_HOST} times by what it does itself, and every run ends`, async () => {
    const killing = hosts.map(async ({ host }) => {
      for (const step of KILL_STEPS) {
        const spring = async () => {
          await host.crash();
          return "drop" as const;
        };
        await host.gate.set({ when: "after", matches: createMatcher(step, 1), spring });
        await host.up();
      }
    });
    let over = false;
    const done = Promise.all(killing).then(() => {
      over = true;
    });
    while (!over) await runOnce(lane);
    await done;
  });
  for (const each of PAUSES) {
    const { step, nth, until: goal } = each;
    await check(`a host held still at its ${nth === 2 ? "second " : ""}${step} until its run is ${goal}`, () =>
      holdStill(pair, each),
    );
  }
}

async function holdStill({ lane, hosts }: Pair, { step, nth = 1, slow = false, until: goal, refused }: Pause) {
  await Promise.all(hosts.map(({ host }) => host.up()));
  await quiet(lane);
  let caught = false;
  const held = hosts.map(async ({ host, replies }) => {
    let stopped: { id: string; run: Stored<Run>; slices: number } | undefined;
    let repliesBefore = 0;
    const spring = async (seen: Seen) => {
      // Whoever of the two comes first is the one.
      caught = true;
      for (const other of hosts) if (other.host !== host) other.host.gate.clear();
      host.signal("SIGSTOP");
      const id = seen.run ?? (await lane.store.runs.cursor(lane.key))?.value.activeRun ?? "";
      const run = await lane.store.runs.run(lane.key, id);
      assert.ok(run, `a run at ${seen.step}`);
      stopped = { id, run, slices: (await lane.store.runs.slices(lane.key, id)).length };
      await takenOver(lane, id, run.value.fence, goal);
      repliesBefore = replies.length;
      host.signal("SIGCONT");
      return "go" as const;
    };
    const seen = await host.gate.set({ when: "before", matches: createMatcher(step, nth), spring });
    return { seen, replies, stopped: stopped!, repliesBefore };
  });
  await runOnce(lane, { slow });
  for (const { host } of hosts) host.gate.clear();
  if (!caught) assert.fail("no run came to that step");
  const { seen, replies, stopped, repliesBefore } = await Promise.race(held);

  const fence = String(stopped.run.value.fence);
  const written = replies.slice(repliesBefore).filter((reply) => reply.seen.run === stopped.id);
  const accepted = written.filter((reply) => reply.seen.fence === fence && reply.status < 300);
  assert.deepEqual(accepted, [], "the host that was held still has written to its run");
  if (refused) {
    const own = await until("its own write is answered", () => written.find((reply) => reply.seen === seen));
    assert.equal(own.status, 412);
  }
  const slices = await lane.store.runs.slices(lane.key, stopped.id);
  const old = slices.filter(({ value }) => value.fence === stopped.run.value.fence);
  assert.ok(old.length <= stopped.slices, "a slice of the host that was held still counts");
}

async function takenOver(lane: Lane, id: string, fence: number, goal: Pause["until"]): Promise<void> {
  await until(
    `run ${id} is ${goal}`,
    async () => {
      await pause(LOOK_MS);
      const run = await lane.store.runs.run(lane.key, id);
      if (goal === "ended") return run?.value.endedAt !== null;
      return run !== undefined && run.value.fence > fence;
    },
    STUCK_MS,
  );
}
