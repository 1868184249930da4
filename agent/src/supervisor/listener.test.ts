import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketEvents } from "./channel.ts";
import { createListener } from "./listener.ts";

const accept = (id: string): string =>
  JSON.stringify({ accept: { address: "wss://g1.example/$hc/a", id, connectHeaders: {} } });

test("whatever serving an accept throws, the channel goes on", async () => {
  const stop = new AbortController();
  const opened = Promise.withResolvers<SocketEvents>();
  const served: string[] = [];
  const errors: unknown[] = [];
  const listener = createListener({
    open: (_url, _headers, _agent, events) => {
      opened.resolve(events);
      return { send: () => {}, ping: () => {}, destroy: () => {} };
    },
    tokens: { current: async () => ({ listenUrl: "wss://contoso.example/$hc/a", token: "t" }) } as never,
    network: {},
    onState: () => {},
    onAccept: ({ id }) => {
      served.push(id);
      if (id === "1") throw new SyntaxError("not an address");
    },
    clock: {
      wallMs: () => 0,
      monotonicMs: () => 0,
      sleep: (_ms, signal) => new Promise((_, reject) => signal.addEventListener("abort", reject)),
    },
    random: () => 0,
    log: { info: () => {}, warn: () => {}, error: (...words: unknown[]) => errors.push(words) } as never,
  });
  const running = listener.run(stop.signal);
  const events = await opened.promise;
  events.open();
  events.text(accept("1"));
  events.text(accept("2"));
  assert.deepEqual(served, ["1", "2"]);
  assert.equal(errors.length, 1);
  stop.abort();
  await running;
});
