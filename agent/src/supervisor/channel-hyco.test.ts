import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import type { Down } from "./channel.ts";
import { openHycoSocket } from "./channel-hyco.ts";

let relay: WebSocketServer;
beforeEach(async () => {
  relay = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(relay, "listening");
});
afterEach(() => {
  for (const client of relay.clients) client.terminate();
  relay.close();
});

/** A channel to the relay, its other end, and what it hears. */
async function connect() {
  const { port } = relay.address() as AddressInfo;
  const texts: string[] = [];
  const down = Promise.withResolvers<Down>();
  const text = Promise.withResolvers<void>();
  const accepted = once(relay, "connection");
  const agent = new Agent({ keepAlive: false });
  const socket = openHycoSocket(`ws://127.0.0.1:${port}/`, {}, agent as never, {
    open: () => {},
    text: (said) => {
      texts.push(said);
      text.resolve();
    },
    alive: () => {},
    down: (why) => {
      socket.destroy();
      down.resolve(why);
    },
  });
  const [other] = (await accepted) as [WebSocket];
  other.on("error", () => {});
  return { socket, other, texts, down: down.promise, text: text.promise };
}

test("a message in fragments with pings between them is given up above 256 KiB", async () => {
  const { other, texts, down, text } = await connect();
  let sent = 0;
  const closed = once(other, "close");
  for (; sent < 1024 * 1024; sent += 16 * 1024) {
    other.send("x".repeat(16 * 1024), { fin: sent + 16 * 1024 === 1024 * 1024 }, () => {});
    other.ping("p", false, () => {});
  }
  assert.deepEqual(await Promise.race([down, text]), { kind: "failed", why: "a control message is too large" });
  await closed;
  assert.deepEqual(texts, []);
});

test("pings of months are no flood", async () => {
  const { socket, other, texts, text } = await connect();
  const payload = "p".repeat(125);
  for (let each = 0; each < 4000; each += 1) other.ping(payload);
  other.send("still here");
  await text;
  assert.deepEqual(texts, ["still here"]);
  socket.destroy();
});
