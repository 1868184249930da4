/** What a relay can say on the control channel: forged addresses, spoiled headers, accepts again and again. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { endpointsOf } from "../../system/network/sockets.ts";
import { childrenOf, until } from "../../system/processes.ts";
import type { Attack } from "./attack.ts";
import { MAX_SESSIONS, type World } from "./world.ts";

/** Addresses that a forged accept may name; `port` is a trap on this machine. */
const FORGED: readonly [string, (port: number, world: World) => string][] = [
  ["another host", () => "wss://attacker.example/$hc/a?sb-hc-action=accept"],
  ["another port of an allowed host", (port) => `wss://localhost:${port}/$hc/a?sb-hc-action=accept`],
  ["an address in figures", (port) => `wss://127.0.0.1:${port}/$hc/a?sb-hc-action=accept`],
  ["plain ws:", (_port, { gateway }) => `ws://localhost:${gateway.port}/$hc/a?sb-hc-action=accept`],
  ["https:", (_port, { gateway }) => `https://localhost:${gateway.port}/$hc/a?sb-hc-action=accept`],
  ["a user name", (port, { gateway }) => `wss://localhost:${gateway.port}@localhost:${port}/$hc/a`],
  ["a path that is no hybrid connection's", (_port, { gateway }) => `wss://localhost:${gateway.port}/api/token`],
  ["a fragment", (_port, { gateway }) => `wss://localhost:${gateway.port}/$hc/a?x=1#`],
  ["no address at all", () => "not an address"],
  ["16 kB of address", (_port, { gateway }) => `wss://localhost:${gateway.port}/$hc/${"a".repeat(16_384)}`],
];

const GOOD = "A".repeat(43);
const HEADERS: readonly [string, Record<string, unknown>][] = [
  ["no challenge", {}],
  ["two challenges", { "Sallyport-Challenge": [GOOD, GOOD] }],
  ["two spellings of one header", { "Sallyport-Challenge": GOOD, "sallyport-challenge": GOOD }],
  ["a joined challenge", { "Sallyport-Challenge": `${GOOD}, ${GOOD}` }],
  ["a short challenge", { "Sallyport-Challenge": GOOD.slice(1) }],
  ["one that does not re-encode to itself", { "Sallyport-Challenge": `${GOOD.slice(1)}B` }],
  ["an unknown purpose", { "Sallyport-Challenge": GOOD, "Sallyport-Purpose": "admin" }],
];

export const CONTROL_ATTACKS: readonly Attack[] = [
  {
    rule: "P4.32",
    name: `forges ${FORGED.length} addresses: none of them is dialled`,
    async run(world) {
      let calls = 0;
      const trap = createServer((socket) => {
        calls += 1;
        socket.destroy();
      }).listen(0, "127.0.0.1");
      await once(trap, "listening");
      const { port } = trap.address() as AddressInfo;
      try {
        const before = world.gateway.rejections.length;
        for (const [, make] of FORGED) world.accept(make(port, world));
        // The one after them is served, so all of them were looked at.
        const address = world.gateway.address();
        world.accept(address);
        const executor = await world.gateway.executor(address);
        assert.ok(await executor.next());
        executor.socket.terminate();
        assert.equal(calls, 0);
        assert.equal(world.gateway.rejections.length, before);
        const ignored =
          world
            .agent()
            .log()
            .match(/leads to a host that is neither/g)?.length ?? 0;
        assert.ok(ignored >= FORGED.length - 2, `${ignored} were told in the log`);
      } finally {
        trap.close();
      }
    },
  },
  ...HEADERS.map(
    ([what, headers]): Attack => ({
      rule: "P4.4",
      name: `sends an accept with ${what}: rejected with 400, nothing is signed`,
      async run(world) {
        const before = world.gateway.rejections.length;
        const sessions = childrenOf(world.agent().process.pid!).length;
        world.accept(world.gateway.address(), headers);
        await until("the accept is rejected", () => world.gateway.rejections.length > before);
        assert.equal(world.gateway.rejections[before], "400 protocol.order");
        assert.ok(childrenOf(world.agent().process.pid!).length <= sessions + 1);
      },
    }),
  ),
  {
    rule: "P4.8",
    name: "repeats an accept ten times: one hello",
    async run(world) {
      const address = world.gateway.address();
      for (let count = 0; count < 10; count += 1) world.accept(address);
      const executor = await world.gateway.executor(address);
      assert.ok(await executor.next());
      let more = 0;
      void world.gateway.executor(address).then(() => {
        more += 1;
      });
      executor.socket.terminate();
      await world.stillServes();
      assert.equal(more, 0);
    },
  },
  {
    rule: "P4.32",
    name: "floods the agent with 500 accepts: its own number of sessions, the rest turned down or left",
    async run(world) {
      const before = world.gateway.rejections.length;
      const came = world.gateway.executors.length;
      const addresses = Array.from({ length: 500 }, () => world.gateway.address());
      for (const address of addresses) world.accept(address);
      // A session before this may still hold a place: how many come is not known, but not more than there are places.
      await until("one is served", () => world.gateway.executors.length > came);
      await until("others are turned down", () => world.gateway.rejections.length > before);
      const reasons = new Set(world.gateway.rejections.slice(before));
      assert.deepEqual([...reasons], ["503 agent.busy"]);
      const pid = world.agent().process.pid!;
      const talking = childrenOf(pid).filter((child) =>
        endpointsOf(child).some(({ remote }) => remote.port === world.gateway.port),
      );
      assert.ok(talking.length <= MAX_SESSIONS, `${talking.length} executors`);
      const served = world.gateway.executors.slice(came);
      assert.ok(served.length <= MAX_SESSIONS, `${served.length} sessions`);
      for (const { socket } of served) socket.terminate();
    },
  },
  {
    rule: "P8.2",
    name: "sends control frames that are no JSON, binary or unknown: ignored, the channel stays",
    async run(world) {
      const { faults, stats } = { faults: world.site.relay.faults, stats: () => world.site.relay.stats() };
      const listeners = stats().listenersTotal;
      for (const frame of ["notJson", "binary", "unknown"] as const) faults.controlFrame(frame);
      for (const text of ["null", "[]", '{"accept":null}', '{"accept":{"address":5}}', '{"request":{}}']) {
        faults.controlFrame({ text });
      }
      await world.stillServes();
      assert.equal(stats().listenersTotal, listeners);
    },
  },
];
