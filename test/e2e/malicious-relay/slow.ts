/** Slow-loris: sessions that are opened and never go on. They cost places for half a minute, and nothing else. */
import assert from "node:assert/strict";
import { dial } from "../agent/sender.ts";
import type { Attack } from "./attack.ts";
import { MAX_SESSIONS } from "./world.ts";

export const SLOW_ATTACKS: readonly Attack[] = [
  {
    rule: "P4.12",
    name: "takes every place with sessions that only ping: request.expired after 30 s, a canary is served meanwhile",
    async run(world) {
      const after = world.site.journal().length;
      const addresses = Array.from({ length: MAX_SESSIONS }, () => world.gateway.address());
      for (const address of addresses) world.accept(address);
      const executors = await Promise.all(addresses.map((address) => world.gateway.executor(address)));
      for (const executor of executors) assert.ok(await executor.next(), "a hello");
      const pings = setInterval(() => {
        for (const { socket } of executors) if (socket.readyState === socket.OPEN) socket.ping();
      }, 1_000);
      try {
        const busy = await dial(world.site);
        assert.equal(!busy.ok && busy.reason, "agent.busy");
        const canary = await dial(world.site, { ping: true });
        assert.ok(canary.ok);
        await canary.sender.request();
        assert.equal((await canary.sender.messages()).at(-1)?.kind, "end");
        assert.deepEqual(
          await Promise.all(executors.map(({ closed }) => closed)),
          executors.map(() => 1002),
        );
      } finally {
        clearInterval(pings);
      }
      const expired = () =>
        world.site.journal().filter(({ seq, code }) => Number(seq) > after && code === "request.expired").length;
      await world.site.journaled(() => expired() === MAX_SESSIONS);
    },
  },
  {
    rule: "P4.12",
    name: "never answers at the rendezvous: the executors give up, and their places are free again",
    async run(world) {
      const after = world.site.journal().length;
      world.gateway.hang = true;
      try {
        for (let count = 0; count < MAX_SESSIONS; count += 1) world.accept(world.gateway.address());
        const given = () =>
          world.site.journal().filter(({ seq, event, code }) => Number(seq) > after && event === "session" && code)
            .length;
        await world.site.journaled(() => given() === MAX_SESSIONS);
      } finally {
        world.gateway.hang = false;
      }
    },
  },
];
