/** The copy's channels over a long time: names, what opens late, and what lines leave behind. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { queryObjects } from "node:v8";
import type { Channel } from "./channel.ts";
import { copyTo } from "./test-copy.ts";
import { openDatagrams } from "./udp.ts";

test("udp: the name is looked up again after minutes, and a server that stays gets every line", async () => {
  const server = createSocket("udp4");
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const datagrams: string[] = [];
  server.on("message", (bytes) => {
    if (datagrams.push(bytes.toString()) === 40) resolve();
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  let lookups = 0;
  let nowMs = 0;
  const system = {
    async lookup() {
      lookups += 1;
      return { address: "127.0.0.1", family: 4 };
    },
    // Each line a minute after the one before: it is asked when a channel opens, and after each line.
    monotonicMs: () => (nowMs += 60_000),
  };
  const { take, told, end } = copyTo(
    { transport: "udp", host: "siem", port: 1 },
    { open: () => openDatagrams("siem", server.address().port, system) },
  );
  for (let line = 1; line <= 40; line += 1) take(line);
  await all;
  await end();
  assert.equal(lookups, 8);
  assert.deepEqual(told, []);
  server.close();
});

test("what opens too late is closed", async () => {
  const opening = Promise.withResolvers<Channel>();
  const closed = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const { take, end } = copyTo(
    { transport: "udp", host: "siem", port: 1 },
    {
      open: () => {
        asked.resolve();
        return opening.promise;
      },
    },
  );
  take(1);
  await asked.promise;
  await end();
  opening.resolve({ send: async () => {}, closed: closed.promise, close: closed.resolve });
  await closed.promise;
});

test("a line that was sent leaves nothing behind", async () => {
  const { copy, take, end } = copyTo(
    { transport: "udp", host: "siem", port: 1 },
    { open: async () => ({ send: async () => {}, closed: new Promise(() => {}), close: () => {} }) },
  );
  const send = async (lines: number): Promise<number> => {
    for (let line = 1; line <= lines; line += 1) {
      take(line);
      await copy.drained();
    }
    return queryObjects(AbortSignal, { format: "count" });
  };
  const first = await send(20);
  assert.ok((await send(500)) - first < 50);
  await end();
});
