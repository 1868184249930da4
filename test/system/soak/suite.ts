/**
 * An agent under every kind of relay fault in turn, with tokens of a minute and a pull every 5 s: no pull fails for
 * good, nothing leaks, nothing storms. The pulls are sessions of the orchestrator's own code with retries, as a run's
 * slices are; what runs store is other suites' matter.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { startWorld, type World } from "../../e2e/malicious-relay/world.ts";
import { endpointsOf } from "../network/sockets.ts";
import { childrenOf, residentBytes, until } from "../processes.ts";
import type { Suite } from "../suite.ts";
import { shortTroubles, TROUBLES, type Trouble } from "./faults.ts";
import { type Holding, type PullResult, type Soaked, soakFaults } from "./verdict.ts";

const TOKEN_SECONDS = 60;
const PULL_EVERY_MS = 5_000;
/** 2 MB: enough that credit goes back and forth. */
const ROWS = 2_000;
const SAY_EVERY_MS = 10_000;
const RETRY_AFTER_MS = 1_000;
/** A pull that has not come through by then has failed for good; the longest trouble takes 65 s. */
const PULL_WITHIN_MS = 900_000;
/** The next pull finds a system at rest after so long. */
const REST_WITHIN_MS = 60_000;
const SHORT_MINUTES = 1;
/** Without a new trouble at the end. */
const LAST_MS = 5_000;
const LOOK_EVERY_MS = 100;
/** How long it is left alone between two faults that take it away; its pause before the next attempt grows to a minute. */
const UP_MS = 10_000;

export const soak: Suite = {
  name: "soak",
  about: `relay faults in turn with tokens of ${TOKEN_SECONDS} s: nothing fails for good, leaks or storms (60 s, --minutes N)`,
  async run(check, { minutes = SHORT_MINUTES } = {}) {
    const world = await startWorld({ tokenSeconds: TOKEN_SECONDS, rows: ROWS });
    try {
      let seen: Soaked | undefined;
      await check("it runs to its end", async () => {
        seen = await soakFor(world, minutes * 60_000);
      });
      await check("no pull failed for good, no storm, no leak, no growth", () => {
        assert.ok(seen !== undefined, "it did not run");
        assert.deepEqual(soakFaults(seen), []);
      });
      await check("counter-example: a pull that is denied, a process and a socket left over are found", async () => {
        assert.ok(seen !== undefined, "it did not run");
        const denied = await pull(world, 0, "hr.Salaries");
        assert.equal(denied.failed, "policy.denied");
        assert.deepEqual(soakFaults({ ...seen, ...(await plantLeak()), pulls: [...seen.pulls, denied] }), [
          "pull 0 failed for good: policy.denied",
          "1 processes are left over",
          "1 sockets are left over",
        ]);
      });
    } finally {
      await world.close();
    }
  },
};

async function soakFor(world: World, durationMs: number): Promise<Soaked> {
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const pid = world.agent().process.pid!;
  await atRest(world);
  const before = holding(pid);
  const long = durationMs > 5 * 60_000;
  const troubles = long ? TROUBLES : shortTroubles();
  const pulls: PullResult[] = [];
  const running = new Set<Promise<unknown>>();
  const stop = new AbortController();
  let last: Trouble | undefined;
  const brought = new Set<Trouble>();
  let earlyBytes = 0;

  const every = async (ms: number, act: () => void): Promise<void> => {
    while (!stop.signal.aborted) {
      act();
      await pause(ms, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const startPull = (): void => {
    const number = pulls.length + running.size + 1;
    const work: Promise<unknown> = pull(world, number)
      .then((result) => pulls.push(result))
      .finally(() => running.delete(work));
    running.add(work);
  };
  const say = (): void => {
    if (earlyBytes === 0 && elapsedMs() >= Math.min(60_000, durationMs / 3)) earlyBytes = residentBytes(pid);
    console.log(
      `          ${Math.round(elapsedMs() / 1000)} s: ${pulls.length} pulls, ${running.size} running, ${attemptsOf(world)} attempts, ` +
        `${JSON.stringify(holding(pid))}, ${Math.round(residentBytes(pid) / 2 ** 20)} MiB, last: ${last?.name ?? "nothing yet"}`,
    );
  };
  const online = (): boolean => world.site.relay.stats().listeners > 0;
  // One outage at a time: what comes while the agent is away, it does not meet; and sessions have a chance in between.
  const back = async (): Promise<void> => {
    if (online()) return;
    while (!online() && !stop.signal.aborted) await pause(LOOK_EVERY_MS);
    if (long) await pause(UP_MS, undefined, { signal: stop.signal }).catch(() => {});
  };
  const bring = async (): Promise<void> => {
    // The longer part of a long soak is the agent's way back.
    const eachMs = Math.max(1_000, (durationMs - LAST_MS) / troubles.length / (long ? 3 : 1));
    while (!stop.signal.aborted) {
      for (const trouble of troubles) {
        await back();
        if (stop.signal.aborted) return;
        last = trouble;
        brought.add(trouble);
        await trouble.bring(world.site.relay);
        await pause(eachMs, undefined, { signal: stop.signal }).catch(() => {});
      }
      if (!long) return;
    }
  };
  const loops = [every(PULL_EVERY_MS, startPull), every(SAY_EVERY_MS, say), bring()];
  await pause(durationMs);
  stop.abort();
  await Promise.all(loops);
  await Promise.all(running);
  world.site.relay.faults.clear();
  const after = await restingHolding(world, before);
  say();
  const left = TROUBLES.filter((trouble) => !brought.has(trouble)).map(({ name }) => name);
  console.log(`          ${brought.size} kinds of trouble; not brought: ${left.join("; ") || "none"}`);
  const seconds = elapsedMs() / 1000;
  return {
    ...{ seconds: Math.round(seconds), pulls, attempts: attemptsOf(world), before, after, earlyBytes },
    endBytes: residentBytes(pid),
    alive: world.agent().process.exitCode === null && residentBytes(pid) > 0,
    // The last one may be late.
    leastPulls: Math.floor(durationMs / PULL_EVERY_MS) - 1,
  };
}

/** One pull: sessions until one has brought every row. A refusal that no repeat mends ends it at once. */
async function pull(world: World, number: number, table?: string): Promise<PullResult> {
  const untilMs = performance.now() + PULL_WITHIN_MS;
  for (let attempts = 1; ; attempts += 1) {
    const outcome = await world.read("relay", table).outcome;
    if (outcome.ok && outcome.complete && outcome.rows === world.rows) return { pull: number, attempts };
    const code = outcome.ok ? "rows are missing" : outcome.code;
    const isFinal = outcome.ok || ERRORS[outcome.code].retry === "never";
    if (isFinal || performance.now() > untilMs) return { pull: number, attempts, failed: code };
    await pause(RETRY_AFTER_MS);
  }
}

/** Each attempt of the agent's ends in one of these lines; the last one may be online now. */
const attemptsOf = (world: World): number =>
  (world
    .agent()
    .log()
    .match(/control channel down/g)?.length ?? 0) + 1;

const holding = (pid: number): Holding => ({
  children: childrenOf(pid).length,
  sockets: endpointsOf(pid).filter(({ protocol, state }) => protocol === "tcp" && state === "connected").length,
});

/** Two executors wait, the channel is up, no session runs. */
const atRest = (world: World): Promise<unknown> =>
  until(
    "the agent is at rest",
    () => {
      const { children, sockets } = holding(world.agent().process.pid!);
      return children === 2 && sockets === 1 && world.site.relay.stats().sessionsOpen === 0;
    },
    REST_WITHIN_MS,
  );

/** What is held once everything has had time to end; what never ends is what is told. */
async function restingHolding(world: World, before: Holding): Promise<Holding> {
  const pid = world.agent().process.pid!;
  const fits = () => holding(pid).children <= before.children && holding(pid).sockets <= before.sockets;
  await until("all is given back", fits, REST_WITHIN_MS).catch(() => undefined);
  return holding(pid);
}

/** A process that starts another one and keeps a connection, looked at as the agent is. */
async function plantLeak(): Promise<{ before: Holding; after: Holding }> {
  const trap = createServer(() => {}).listen(0, "127.0.0.1");
  await once(trap, "listening");
  const { port } = trap.address() as AddressInfo;
  const code = `process.stdin.once("data", () => {
    require("node:child_process").spawn("sleep", ["600"], { stdio: "ignore" });
    require("node:net").connect(${port}, "127.0.0.1", () => console.log("leaked"));
  }); console.log("up");`;
  const planted = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "ignore"] });
  let children: number[] = [];
  try {
    await once(planted.stdout, "data");
    const before = holding(planted.pid!);
    planted.stdin.write("go\n");
    await once(planted.stdout, "data");
    children = childrenOf(planted.pid!);
    return { before, after: holding(planted.pid!) };
  } finally {
    for (const child of children) process.kill(child, "SIGKILL");
    planted.kill("SIGKILL");
    await once(planted, "close");
    trap.close();
  }
}
