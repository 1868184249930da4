import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../clock.ts";
import type { Pinned } from "../state.ts";
import { createTokenKeeper, type KeeperDeps } from "./token-keeper.ts";
import type { TokenResult } from "./tokens.ts";

/** Asks as often as there are answers, and gives the waits between; the last answer stops it. */
async function waitsFor(answers: readonly TokenResult[], random = 1) {
  const stop = new AbortController();
  const waitsMs: number[] = [];
  const [noted, said]: [unknown[], string[]] = [[], []];
  const left = [...answers];
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    sleep: async (ms) => {
      waitsMs.push(ms);
      if (left.length === 0) stop.abort();
    },
  };
  const say = (facts: unknown, text = "") => void said.push(`${JSON.stringify(facts)} ${text}`);
  const deps: KeeperDeps = {
    request: async () => left.shift()!,
    pinned: () => ({}) as Pinned,
    store: () => {},
    renewed: () => {},
    note: (code) => void noted.push(code),
    revoked: () => void noted.push("told of it"),
    clock,
    random: () => random,
    log: { warn: say, error: say, info: say } as never,
  };
  await createTokenKeeper(deps).run(stop.signal);
  return { waitsMs, noted, said };
}

const refused = (code: Extract<TokenResult, { ok: false }>["code"]): TokenResult => ({ ok: false, code, why: "why" });

test("a way out that is closed is asked for again with growing pauses, up to a minute", async () => {
  const { waitsMs, noted, said } = await waitsFor(Array.from({ length: 8 }, () => refused("network.proxy")));
  assert.deepEqual(waitsMs, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  // Said once, and no line of the journal: it would tell of the network, not of a decision.
  assert.equal(said.length, 1);
  assert.deepEqual(noted, []);
});

test("a proxy's login is tried again after a minute at the earliest: it may be an account that tries lock", async () => {
  const { waitsMs } = await waitsFor(
    Array.from({ length: 6 }, () => refused("network.proxy_login")),
    0,
  );
  for (const waitMs of waitsMs) assert.ok(waitMs >= 60_000);
  const longest = await waitsFor(Array.from({ length: 8 }, () => refused("network.proxy_login")));
  assert.equal(longest.waitsMs.at(-1), 960_000);
});

test("a refusal by the orchestrator is journaled once, however often it is repeated", async () => {
  const { noted } = await waitsFor([refused("agent.pending"), refused("agent.pending"), refused("token.clock_skew")]);
  assert.deepEqual(noted, ["agent.pending", "token.clock_skew"]);
});

test("that the agent was revoked is told once, by the orchestrator's word alone", async () => {
  const { noted } = await waitsFor([
    refused("network.unreachable"),
    refused("agent.revoked"),
    refused("agent.revoked"),
  ]);
  assert.deepEqual(noted, ["agent.revoked", "told of it"]);
});
