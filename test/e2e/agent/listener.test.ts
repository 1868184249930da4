/** The listener over days, on a clock in the test's hand and a real relay: one suite for both control channels. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { OpenSocket, SocketEvents } from "@sallyport/agent/src/supervisor/channel.ts";
import { openHycoSocket } from "@sallyport/agent/src/supervisor/channel-hyco.ts";
import { openWsSocket } from "@sallyport/agent/src/supervisor/channel-ws.ts";
import { type Accepted, createListener } from "@sallyport/agent/src/supervisor/listener.ts";
import { createTokenKeeper, type TokenKeeper } from "@sallyport/agent/src/supervisor/token-keeper.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { type Bench, makeBench, RULES } from "../../emulators/relay/clients.ts";
import { mintSas } from "../../emulators/relay/sas.ts";
import { type HandClock, makeClock } from "./hand-clock.ts";

const AGENT = "a".repeat(32);
const PATH = `a-${AGENT}`;
const HOUR_MS = 3600_000;
const signing = await generateKeyPair("ES256");
const origin = "https://orchestrator.test";

/** A listener whose sockets can be looked at. */
function makeListener(t: TestContext, bench: Bench, open: OpenSocket, hand: HandClock, tokens: TokenKeeper) {
  const accepted: Accepted[] = [];
  const events: string[] = [];
  const sockets: { ping: () => void; alive: (() => void)[] }[] = [];
  let wake = (): void => undefined;
  /** Sockets that have opened, or have come to nothing. */
  const settled = new Set<number>();
  /** Settles when it is so; looked at after each event. */
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const note = (event: string, socket: number): void => {
    settled.add(socket);
    events.push(`${event} ${socket}`);
    wake();
  };
  const watched: OpenSocket = (url, headers, agent, own) => {
    const number = sockets.length + 1;
    const seen = { ping: () => socket.ping(), alive: [] as (() => void)[] };
    sockets.push(seen);
    const hear: SocketEvents = {
      ...own,
      open() {
        note("open", number);
        own.open();
      },
      alive() {
        for (const go of seen.alive.splice(0)) go();
        own.alive();
      },
    };
    const socket = open(url, headers, agent, hear);
    return {
      ...socket,
      // Its pings are answered at once: hours pass here in no time, and a dead channel is the other suite's matter.
      ping: own.alive,
      destroy() {
        note("gone", number);
        socket.destroy();
      },
    };
  };
  const logged: string[] = [];
  const say = (first: unknown, second?: string): void => void logged.push(second ?? String(first));
  const listener = createListener({
    open: watched,
    tokens,
    network: { caPem: bench.ca },
    onState: () => {},
    onAccept(accept) {
      accepted.push(accept);
      wake();
    },
    clock: hand.clock,
    random: () => 0,
    log: { info: say, warn: say, error: say } as never,
  });
  const stop = new AbortController();
  const running = listener.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
  });
  return {
    listener,
    events,
    accepted,
    logged,
    stop: async () => {
      stop.abort();
      await running;
    },
    until,
    /** Lets time go by, in which sockets open as fast as they really do. */
    pass: (ms: number) => hand.pass(ms, () => until(() => settled.size === sockets.length)),
    /** There and back over the newest socket: whatever was sent before has arrived. */
    roundTrip(): Promise<void> {
      const socket = sockets.at(-1)!;
      const alive = new Promise<void>((resolve) => socket.alive.push(resolve));
      socket.ping();
      return alive;
    },
  };
}

const bench = (t: TestContext, { clock }: HandClock): Promise<Bench> =>
  makeBench(t, {
    entities: [{ path: PATH }],
    now: clock.wallMs,
    timings: { tokenCheckMs: 5, recycleMs: Number.POSITIVE_INFINITY },
  });

const listenUrl = (relay: Bench): string => relay.url("listen", PATH);

const sas = (
  { name, primaryKey }: { name: string; primaryKey: string },
  { clock }: HandClock,
  seconds: number,
): string => mintSas(`http://localhost/${PATH}`, name, primaryKey, Math.floor(clock.wallMs() / 1000) + seconds);

/** A sender, whose token is good at the relay's time. */
const connect = (relay: Bench, hand: HandClock) =>
  relay.open(relay.url("connect", PATH), { headers: { ServiceBusAuthorization: sas(RULES.send, hand, 60) } });

/** Tokens that do for days. */
function endlessTokens(relay: Bench, hand: HandClock): TokenKeeper & { refreshed: number } {
  const token = sas(RULES.listen, hand, 10 * 86_400);
  return {
    refreshed: 0,
    current: async () => ({ listenUrl: listenUrl(relay), token }),
    askNow: () => undefined,
    refresh() {
      this.refreshed += 1;
    },
    state: { state: "none", why: "" },
    run: async () => undefined,
  };
}

for (const [name, open] of [
  ["hyco-ws", openHycoSocket],
  ["ws", openWsSocket],
] as const) {
  describe(`the listener on ${name}`, { timeout: 120_000 }, () => {
    it("opens its next channel before it closes the one of yesterday, and hears accepts on it", async (t) => {
      const hand = makeClock();
      const relay = await bench(t, hand);
      const { pass, until, events, accepted, listener } = makeListener(
        t,
        relay,
        open,
        hand,
        endlessTokens(relay, hand),
      );
      await until(() => events.includes("open 1"));
      await pass(23 * HOUR_MS - 1);
      assert.deepEqual(events, ["open 1"], "not before its time");
      await pass(60_000);
      await until(() => events.includes("gone 1"));
      await pass(23 * HOUR_MS);
      await until(() => events.includes("gone 2"));
      assert.deepEqual(events, ["open 1", "open 2", "gone 1", "open 3", "gone 2"]);
      assert.equal(listener.state.state, "online");
      connect(relay, hand);
      await until(() => accepted.length === 1);
      assert.equal(relay.relay.stats().listenersTotal, 3);
    });

    it("keeps the channel that works where its replacement does not come up, and tries again", async (t) => {
      const hand = makeClock();
      const relay = await bench(t, hand);
      const { pass, until, events, accepted, logged } = makeListener(t, relay, open, hand, endlessTokens(relay, hand));
      await until(() => events.includes("open 1"));
      relay.relay.faults.handshake({ on: "listen", do: "status", times: 1 });
      await pass(23 * HOUR_MS);
      await until(() => events.includes("gone 2"));
      connect(relay, hand);
      await until(() => accepted.length === 1);
      await pass(300_000);
      await until(() => events.includes("gone 1"));
      assert.deepEqual(events, ["open 1", "gone 2", "open 3", "gone 1"]);
      assert.ok(!logged.includes("control channel down"));
    });

    it("comes back after the service's own recycle, and after one that it asked for, with a fresh token", async (t) => {
      const hand = makeClock();
      const relay = await bench(t, hand);
      const tokens = endlessTokens(relay, hand);
      const { pass, until, events, logged, listener } = makeListener(t, relay, open, hand, tokens);
      await until(() => events.includes("open 1"));
      relay.relay.faults.recycle();
      await until(() => events.includes("gone 1"));
      // The pause before the next attempt begins a turn later.
      while (!logged.includes("control channel down")) await new Promise(setImmediate);
      await pass(1000);
      await until(() => events.includes("open 2"));
      listener.rebuild();
      await until(() => events.includes("gone 2"));
      assert.equal(tokens.refreshed, 1);
      while (logged.filter((line) => line === "control channel down").length < 2) await new Promise(setImmediate);
      await pass(2000);
      await until(() => events.includes("open 3"));
    });

    it("stops while its replacement waits for a token, and while it waits for the relay", async (t) => {
      for (const waitsFor of ["token", "relay"] as const) {
        const hand = makeClock();
        const relay = await bench(t, hand);
        const tokens = endlessTokens(relay, hand);
        const { until, events, stop } = makeListener(t, relay, open, hand, tokens);
        await until(() => events.includes("open 1"));
        const asked = Promise.withResolvers<void>();
        const { current } = tokens;
        tokens.current = (signal) => {
          asked.resolve();
          if (waitsFor === "relay") return current(signal);
          return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        };
        if (waitsFor === "relay") relay.relay.faults.handshake({ on: "listen", do: "hangBefore101" });
        await hand.pass(23 * HOUR_MS + 60_000);
        await asked.promise;
        await stop();
        assert.ok(events.includes("gone 1"), waitsFor);
      }
    });

    it("goes on with the next channel where the open one breaks while its replacement waits for a token", async (t) => {
      const hand = makeClock();
      const relay = await bench(t, hand);
      const tokens = endlessTokens(relay, hand);
      const { pass, until, events, logged } = makeListener(t, relay, open, hand, tokens);
      await until(() => events.includes("open 1"));
      const { current } = tokens;
      const asked = Promise.withResolvers<void>();
      tokens.current = (signal) => {
        asked.resolve();
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      };
      await hand.pass(23 * HOUR_MS + 60_000);
      await asked.promise;
      tokens.current = current;
      relay.relay.faults.resetListeners();
      while (!logged.includes("control channel down")) await new Promise(setImmediate);
      await pass(1000);
      await until(() => events.includes("open 2"));
    });

    it("renews 60-second tokens over the open channel for ten lives", async (t) => {
      const hand = makeClock();
      const relay = await bench(t, hand);
      const stop = new AbortController();
      t.after(() => stop.abort());
      let issued = 0;
      let asking = false;
      const keeper = createTokenKeeper({
        request: async () => {
          issued += 1;
          asking = true;
          const at = (ms: number) => new Date(hand.clock.wallMs() + ms).toISOString();
          return {
            ok: true,
            offsetMs: 0,
            answer: {
              listenUrl: listenUrl(relay),
              token: sas(RULES.listen, hand, 60),
              ...{ expiresAt: at(60_000), renewAfter: at(30_000), serverTime: at(0), settings: { canarySeconds: 300 } },
              keys: await signJws(
                "keys",
                { aud: origin, seq: 1, iat: 0, keys: [signing.publicJwk] },
                signerOf("ES256", signing),
              ),
            },
          };
        },
        pinned: () => ({
          ...{ v: 1, agent: AGENT, tenant: "contoso", tenantName: "Contoso", site: "oslo", siteName: "Oslo", origin },
          ...{ relayHost: new URL(listenUrl(relay)).host, listenUrl: null, keysSeq: 0 },
          ...{ keys: [{ ...signing.publicJwk }], settings: { canarySeconds: 300 } },
        }),
        store: () => undefined,
        renewed: ({ token }) => {
          listening.listener.renew(token);
          asking = false;
        },
        note: () => undefined,
        revoked: () => undefined,
        clock: hand.clock,
        random: () => 1,
        log: { info: () => {}, warn: () => {}, error: () => {} } as never,
      });
      const listening = makeListener(t, relay, open, hand, keeper);
      const running = keeper.run(stop.signal);
      const { pass, until, events, accepted, roundTrip } = listening;
      await until(() => events.includes("open 1"));
      for (let passed = 0; passed < 600; passed += 6) {
        await pass(6_000);
        // What was asked for in this step has to be on the relay before the clock goes on.
        while (asking) await new Promise(setImmediate);
        await roundTrip();
      }
      assert.ok(issued >= 10, `${issued} tokens`);
      assert.deepEqual(events, ["open 1"], "the first channel still stands");
      connect(relay, hand);
      await until(() => accepted.length === 1);
      stop.abort();
      await running;
    });
  });
}
