import assert from "node:assert/strict";
import { once } from "node:events";
import { globalAgent } from "node:https";
import { createRequire } from "node:module";
import { test } from "node:test";
import { closing, makeBench, messages, nextAccept, RULES } from "./clients.ts";

/** Microsoft's own client, unmodified, in both roles. It takes no CA: the process's default agent has to trust it. */

type Listener = { on(event: string, act: (value: never) => void): void; close(): void; controlChannel: HycoSocket };
type HycoSocket = {
  on(event: string, act: (...values: never[]) => void): void;
  send(data: string | Buffer): void;
  close(): void;
  readonly protocol: string;
};
type Hyco = {
  createRelayedServer(
    options: { server: string; token: () => string },
    onConnection: (socket: HycoSocket) => void,
  ): Listener;
  relayedConnect(url: string, token: string, onOpen: (socket: HycoSocket) => void): HycoSocket;
  createRelayToken(url: string, ruleName: string, key: string, expirySeconds?: number): string;
};
const hyco: Hyco = createRequire(import.meta.url)("hyco-ws");

const PATH = "agents/a1";

test("an unmodified hyco-ws listener serves an unmodified hyco-ws sender", async (t) => {
  const bench = await makeBench(t);
  globalAgent.options.ca = bench.ca;
  t.after(() => {
    delete globalAgent.options.ca;
    globalAgent.destroy();
  });
  const listenUrl = bench.url("listen", PATH);
  const token = () => hyco.createRelayToken(listenUrl, RULES.listen.name, RULES.listen.primaryKey);
  const echo = hyco.createRelayedServer({ server: listenUrl, token }, (socket) => {
    socket.on("message", (data: string | Buffer) => socket.send(data));
  });
  await bench.relay.listening(PATH);

  const connectUrl = bench.url("connect", PATH);
  const sendToken = hyco.createRelayToken(connectUrl, RULES.send.name, RULES.send.primaryKey);
  const received: (string | Buffer)[] = [];
  await new Promise<void>((resolve) => {
    const sender = hyco.relayedConnect(connectUrl, sendToken, (socket) => {
      socket.send("text");
      socket.send(Buffer.alloc(70_000, 9));
    });
    sender.on("message", (data: string | Buffer) => {
      received.push(data);
      if (received.length < 2) return;
      sender.on("close", () => resolve());
      sender.close();
    });
  });
  assert.deepEqual(received, ["text", Buffer.alloc(70_000, 9)]);

  // And with ws 8 on the other side, offering sub-protocols: hyco-ws takes the first.
  const sender = bench.connect(PATH, {}, ["sallyport.v1", "other"]);
  await once(sender, "open");
  assert.equal(sender.protocol, "sallyport.v1");
  const answer = messages(sender, 1);
  sender.send("again");
  assert.deepEqual(await answer, ["again"]);
  const closed = closing(sender);
  sender.close();
  await closed;

  const gone = new Promise<void>((resolve) => echo.on("close", () => resolve()));
  echo.close();
  await gone;
});

test("a hyco-ws sender reaches a ws 8 listener", async (t) => {
  const bench = await makeBench(t);
  globalAgent.options.ca = bench.ca;
  t.after(() => {
    delete globalAgent.options.ca;
    globalAgent.destroy();
  });
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const connectUrl = bench.url("connect", PATH);
  const sendToken = hyco.createRelayToken(connectUrl, RULES.send.name, RULES.send.primaryKey);
  const sender = hyco.relayedConnect(connectUrl, sendToken, (socket) => socket.send("hello"));
  const senderClosed = new Promise<number>((resolve) => sender.on("close", (code: number) => resolve(code)));
  const listenerSide = bench.open((await accepting).address);
  assert.deepEqual(await messages(listenerSide, 1), ["hello"]);
  listenerSide.close();
  assert.equal(await senderClosed, 1000);
});
