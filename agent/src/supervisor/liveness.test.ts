import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentHealth } from "@sallyport/shared/schema/liveness.ts";
import type { Clock } from "../clock.ts";
import { createLiveness } from "./liveness.ts";

const PERIOD = 300;
const silent = { warn: () => {}, error: () => {}, info: () => {} } as never;
const idOf = (number: number): string => String(number).padStart(32, "0");

/**
 * An orchestrator that sends a canary each period, of which `arrives` says which come through, on a clock that runs as
 * fast as it is asked to. Its own clock is an hour ahead.
 */
function world(arrives: (canary: number) => boolean, options: { sends?: boolean; answers?: boolean } = {}) {
  let nowMs = 0;
  const SERVER_MS = Date.parse("2026-01-01T13:00:00Z");
  const wall = () => Date.parse("2026-01-01T12:00:00Z") + nowMs;
  const sent: { id: string; atMs: number }[] = [];
  const asked: number[] = [];
  const rebuilt: number[] = [];
  const stop = new AbortController();
  const pass = (untilMs: number): void => {
    for (let at = (sent.length + 1) * PERIOD * 1000; at <= untilMs; at = (sent.length + 1) * PERIOD * 1000) {
      if (options.sends === false) break;
      const canary = sent.length + 1;
      sent.push({ id: idOf(canary), atMs: at });
      nowMs = at + 200;
      if (arrives(canary)) liveness.heard(idOf(canary), true);
    }
    nowMs = Math.max(nowMs, untilMs);
  };
  const clock: Clock = {
    wallMs: wall,
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      pass(nowMs + ms);
      if (nowMs > 24 * 3600_000) stop.abort();
    },
  };
  const liveness = createLiveness({
    ask: async (): Promise<AgentHealth | undefined> => {
      asked.push(nowMs / 1000);
      if (options.answers === false) return undefined;
      const newest = sent.at(-1);
      const at = (ms: number) => new Date(SERVER_MS + ms).toISOString();
      return { serverTime: at(nowMs), canary: newest ? { id: newest.id, sentAt: at(newest.atMs) } : null };
    },
    canarySeconds: () => PERIOD,
    rebuild: () => rebuilt.push(nowMs / 1000),
    clock,
    log: silent,
  });
  return { liveness, asked, rebuilt, run: () => liveness.run(stop.signal) };
}

test("an agent that hears its canaries never asks", async () => {
  const { liveness, asked, run } = world(() => true);
  assert.equal(await run(), "stopped");
  assert.deepEqual(asked, []);
  assert.equal(liveness.state.missed, 0);
  assert.match(liveness.state.canaryAt ?? "", /^2026-01-0/);
});

test("three misses build the channel anew, six end the process", async () => {
  const { liveness, asked, rebuilt, run } = world(() => false);
  assert.equal(await run(), "unreached");
  assert.equal(liveness.state.missed, 6);
  // Asked first after one and a half periods, then once a period; each finds one more.
  assert.deepEqual(asked, [450, 750, 1050, 1350, 1650, 1950]);
  assert.deepEqual(rebuilt, [1050]);
});

test("one that arrives after the channel was built anew forgets the misses", async () => {
  const { liveness, rebuilt, run } = world((canary) => canary > 3);
  assert.equal(await run(), "stopped");
  assert.equal(liveness.state.missed, 0);
  assert.deepEqual(rebuilt, [1050]);
});

test("misses that are not in a row do nothing", async () => {
  const { rebuilt, run } = world((canary) => canary % 3 === 0);
  assert.equal(await run(), "stopped");
  assert.deepEqual(rebuilt, []);
});

test("an orchestrator that sends nothing, or does not answer, is no reason to do anything", async () => {
  for (const options of [{ sends: false }, { answers: false }]) {
    const { liveness, asked, rebuilt, run } = world(() => false, options);
    assert.equal(await run(), "stopped");
    assert.ok(asked.length > 200, "it asks on");
    assert.deepEqual([liveness.state.missed, rebuilt], [0, []]);
  }
});

test("a canary is missed once, however often the orchestrator names it", async () => {
  let nowMs = 0;
  let left = 30;
  const stop = new AbortController();
  const liveness = createLiveness({
    ask: async () => {
      if (--left === 0) stop.abort();
      const serverTime = new Date(nowMs).toISOString();
      return { serverTime, canary: { id: idOf(1), sentAt: new Date(100_000).toISOString() } };
    },
    canarySeconds: () => PERIOD,
    rebuild: () => assert.fail("nothing new was sent"),
    clock: {
      wallMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    log: silent,
  });
  assert.equal(await liveness.run(stop.signal), "stopped");
  assert.equal(liveness.state.missed, 1);
});

test("one from before this process, or before a session that was served, is none that it missed", async () => {
  let nowMs = 0;
  const sentAt = new Date(-60_000).toISOString();
  const stop = new AbortController();
  let asked = 0;
  const liveness = createLiveness({
    ask: async () => {
      asked += 1;
      if (asked === 5) stop.abort();
      return { serverTime: new Date(nowMs).toISOString(), canary: { id: idOf(9), sentAt } };
    },
    canarySeconds: () => PERIOD,
    rebuild: () => assert.fail("it was sent before"),
    clock: {
      wallMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    log: silent,
  });
  assert.equal(await liveness.run(stop.signal), "stopped");
  assert.equal(liveness.state.missed, 0);
});

test("one that was sent this moment may be on its way: asked again soon, and counted only then", async () => {
  let nowMs = 0;
  const sentMs = 446_000;
  const asked: number[] = [];
  const stop = new AbortController();
  const liveness = createLiveness({
    ask: async () => {
      asked.push(nowMs / 1000);
      if (asked.length === 2) stop.abort();
      return {
        serverTime: new Date(nowMs).toISOString(),
        canary: { id: idOf(1), sentAt: new Date(sentMs).toISOString() },
      };
    },
    canarySeconds: () => PERIOD,
    rebuild: () => {},
    clock: {
      wallMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    log: silent,
  });
  await liveness.run(stop.signal);
  assert.deepEqual(asked, [450, 460]);
  assert.equal(liveness.state.missed, 1);
});
