/** How the listener comes back: one attempt at a time, growing pauses, a slow and loud one on 404, the relay's TrackingId. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Down, HANDSHAKE_TIMEOUT_MS } from "./channel.ts";
import { createListener } from "./listener.ts";

const LONGEST_PAUSE_MS = 60_000;

/** Lets each attempt end as given; answers the waits between, what was said, and how many attempts were open at once. */
async function attempts(downs: readonly Down[], random = 1) {
  const stop = new AbortController();
  const waitsMs: number[] = [];
  const said: { level: string; text: string }[] = [];
  const left = [...downs];
  const seen = { open: 0, most: 0, refreshed: 0 };
  const log = (level: string) => (facts: unknown, text?: string) =>
    void said.push({ level, text: `${text ?? ""} ${JSON.stringify(facts)}` });
  const listener = createListener({
    open: (_url, _headers, _agent, events) => {
      seen.open += 1;
      seen.most = Math.max(seen.most, seen.open);
      const why = left.shift();
      queueMicrotask(() => {
        if (why === undefined) stop.abort();
        else events.down(why);
      });
      return {
        send: () => {},
        ping: () => {},
        destroy: () => {
          seen.open -= 1;
        },
      };
    },
    tokens: {
      current: async () => ({ listenUrl: "wss://contoso.example/$hc/a", token: "t" }),
      refresh: () => {
        seen.refreshed += 1;
      },
    } as never,
    network: {},
    onAccept: () => {},
    onState: () => {},
    clock: {
      wallMs: () => 0,
      monotonicMs: () => 0,
      sleep: (ms, signal) => {
        // Pauses between attempts pass at once; time-outs and the daily recycle never come.
        const passes = seen.open === 0 && ms <= LONGEST_PAUSE_MS && ms !== HANDSHAKE_TIMEOUT_MS;
        if (!passes) return new Promise((_, reject) => signal.addEventListener("abort", reject));
        waitsMs.push(ms);
        return Promise.resolve();
      },
    },
    random: () => random,
    log: { info: log("info"), warn: log("warn"), error: log("error") } as never,
  });
  await listener.run(stop.signal);
  return { waitsMs, said, ...seen };
}

const refused = (status: number): Down => ({ kind: "refused", status, trackingId: "abc-123_G1" });

test("one attempt at a time, with pauses that double up to a minute", async () => {
  const { waitsMs, most } = await attempts(Array.from({ length: 9 }, () => ({ kind: "failed", why: "ECONNREFUSED" })));
  assert.equal(most, 1);
  assert.deepEqual(waitsMs.slice(0, 8), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

test("404 is tried again after a minute, told loudly, with the relay's TrackingId", async () => {
  const { waitsMs, said } = await attempts([refused(404), refused(404)], 0);
  assert.deepEqual(waitsMs.slice(0, 2), [60_000, 60_000]);
  const loud = said.filter(({ level }) => level === "error");
  assert.equal(loud.length, 2);
  assert.match(loud[0]!.text, /knows no such hybrid connection/);
  assert.ok(said.some(({ text }) => text.includes("abc-123_G1")));
});

for (const [name, down, refreshed] of [
  ["401", refused(401), 1],
  ["403", refused(403), 1],
  ["404", refused(404), 1],
  ["a close with 1008", { kind: "closed", code: 1008, reason: "" }, 1],
  ["503", refused(503), 0],
] satisfies [string, Down, number][]) {
  test(`after ${name} ${refreshed === 1 ? "a fresh token is asked for" : "the token stays"}`, async () => {
    assert.equal((await attempts([down])).refreshed, refreshed);
  });
}
