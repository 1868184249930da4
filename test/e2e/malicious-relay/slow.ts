/** Slow-loris: sessions that are opened and never go on. They cost places for half a minute, and nothing else. */
import assert from "node:assert/strict";
import { until } from "../../system/processes.ts";
import { dial } from "../agent/sender.ts";
import type { Attack } from "./attack.ts";
import type { End } from "./gateway.ts";
import { MAX_SESSIONS, type World } from "./world.ts";

/**
 * Takes every place, until one more is turned down: one that a session before this still holds is asked for again, and a session
 * before this that comes late, and goes, is not counted.
 */
async function occupy({ gateway, accept }: World): Promise<readonly End[]> {
  const came = gateway.executors.length;
  const open = (): readonly End[] =>
    gateway.executors.slice(came).filter(({ socket }) => socket.readyState === socket.OPEN);
  for (;;) {
    const [executors, rejections] = [gateway.executors.length, gateway.rejections.length];
    accept(gateway.address());
    await until(
      "it is taken or turned down",
      () => gateway.executors.length > executors || gateway.rejections.length > rejections,
    );
    if (gateway.executors.length === executors && open().length >= MAX_SESSIONS) return open();
  }
}

export const SLOW_ATTACKS: readonly Attack[] = [
  {
    rule: "P4.12",
    name: "takes every place with sessions that only ping: request.expired after 30 s, a canary is served meanwhile",
    async run(world) {
      const after = world.site.journal().length;
      const executors = await occupy(world);
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
      // Sessions of an attack before this may have expired meanwhile, too.
      await world.site.journaled(() => expired() >= MAX_SESSIONS);
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
        // Less than every place, where a session before this still holds one.
        await world.site.journaled(() => given() > 0);
      } finally {
        world.gateway.hang = false;
      }
    },
  },
];
