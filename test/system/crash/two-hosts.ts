/**
 * Two function hosts on the same tables and queue: kills of either, and a holder that is held still (SIGSTOP) in the middle of
 * a step until the other one has taken over its run, and then goes on with what it had in its hands.
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
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
    const done = Promise.all(killing).finally(() => {
      over = true;
    });
    done.catch(() => undefined); // reported below
    do await runOnce(lane);
    while (!over);
    await done;
  });
  const zombies: Zombie[] = [];
  for (const each of PAUSES) {
    const { step, nth, until: goal } = each;
    await check(`a host held still at its ${nth === 2 ? "second " : ""}${step} until its run is ${goal}`, async () => {
      zombies.push(await holdStill(pair, each));
    });
  }
  await check("none of the hosts that were held still has written to its run since", () => {
    for (const zombie of zombies) assertSilent(zombie);
  });
}

async function holdStill(
  { lane, hosts }: Pair,
  { step, nth = 1, slow = false, until: goal, refused }: Pause,
): Promise<Zombie> {
  await Promise.all(hosts.map(({ host }) => host.up()));
  await quiet(lane);
  let caught = false;
  const held = hosts.map(async ({ host, replies }) => {
    let stopped: Stopped | undefined;
    let repliesBefore = 0;
    const spring = async (seen: Seen) => {
      // Whoever of the two comes first is the one.
      caught = true;
      for (const other of hosts) if (other.host !== host) other.host.gate.clear();
      host.signal("SIGSTOP");
      try {
        stopped = await whileStopped(lane, seen, goal);
      } finally {
        repliesBefore = replies.length;
        host.signal("SIGCONT");
      }
      return "go" as const;
    };
    const seen = await host.gate.set({ when: "before", matches: createMatcher(step, nth), spring });
    return { seen, replies, stopped: stopped!, repliesBefore };
  });
  for (const each of held) each.catch(() => undefined); // reported below
  await runOnce(lane, { slow });
  for (const { host } of hosts) host.gate.clear();
  if (!caught) assert.fail("no run came to that step");
  const { seen, replies, stopped, repliesBefore } = await Promise.race(held);

  const zombie: Zombie = {
    run: stopped.id,
    fence: String(stopped.fence),
    before: replies.slice(0, repliesBefore),
    replies,
  };
  assert.ok(acceptedOf(zombie, zombie.before).length > 0, "its claim was not seen");
  if (refused) {
    const own = await until("its own write is answered", () => replies.find((reply) => reply.seen === seen));
    assert.equal(own.status, 412);
  }
  assertSilent(zombie);
  const slices = await lane.store.runs.slices(lane.key, stopped.id);
  const old = slices.filter(({ value }) => value.fence === stopped.fence);
  assert.ok(old.length <= stopped.slices, "a slice of the host that was held still counts");
  return zombie;
}

/** A host that was held still, and what was answered to it before that and ever. */
interface Zombie {
  readonly run: string;
  readonly fence: string;
  readonly before: readonly Reply[];
  readonly replies: readonly Reply[];
}

const acceptedOf = ({ run, fence }: Zombie, replies: readonly Reply[]): Reply[] =>
  replies.filter(({ seen, status }) => seen.run === run && seen.fence === fence && status < 300);

/** Nothing that it sent to its run afterwards was taken. */
const assertSilent = (zombie: Zombie): void =>
  assert.deepEqual(acceptedOf(zombie, zombie.replies.slice(zombie.before.length)), []);

/** The run as it was when its holder was stopped. */
interface Stopped {
  readonly id: string;
  readonly fence: number;
  readonly slices: number;
}

/** Resolves when the other host has got as far as it should. */
async function whileStopped(lane: Lane, seen: Seen, goal: Pause["until"]): Promise<Stopped> {
  const { store, key } = lane;
  const id = seen.run ?? (await store.runs.cursor(key))?.value.activeRun ?? "";
  const run = await store.runs.run(key, id);
  assert.ok(run, `a run at ${seen.step}`);
  const { fence } = run.value;
  const slices = (await store.runs.slices(key, id)).length;
  await takenOver(lane, id, fence, goal);
  return { id, fence, slices };
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
