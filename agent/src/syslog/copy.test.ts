/** The copy over real sockets of this machine: a server that is there, goes away, comes back, or takes nothing. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import type { SyslogCopy } from "./copy.ts";
import { framed } from "./message.ts";
import { parseTarget } from "./target.ts";
import { copyTo } from "./test-copy.ts";

/** Octet counting read back: every complete message. */
function messagesIn(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; ; ) {
    const space = bytes.indexOf(" ", at);
    const length = Number(bytes.subarray(at, space).toString());
    if (space === -1 || space + 1 + length > bytes.byteLength) return messages;
    messages.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
}

class Collector {
  bytes: Buffer = Buffer.alloc(0);
  readonly sockets = new Set<Socket>();
  #waiting: { readonly until: (all: Buffer) => boolean; readonly go: () => void }[] = [];
  readonly take = (socket: Socket): void => {
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => this.add(chunk));
  };
  add(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    for (const { until, go } of this.#waiting) if (until(this.bytes)) go();
  }
  until(what: (all: Buffer) => boolean): Promise<void> {
    return new Promise((go) => (what(this.bytes) ? go() : this.#waiting.push({ until: what, go })));
  }
}

async function listen(server: Server, at: number | string = 0): Promise<number> {
  if (typeof at === "string") server.listen(at);
  else server.listen(at, "127.0.0.1");
  await once(server, "listening");
  return typeof at === "string" ? 0 : (server.address() as AddressInfo).port;
}

async function close(server: Server, collector: Collector): Promise<void> {
  const closed = once(server, "close");
  server.close();
  for (const socket of collector.sockets) socket.destroy();
  await closed;
}

const TEXTS = ["first", "zweite: grün", '{"seq":3}', "x".repeat(4_000)];

for (const transport of ["tcp", "tls"] as const) {
  test(`${transport}: messages come in their order, each after its number of octets`, async () => {
    const collector = new Collector();
    const authority = await makeAuthority();
    const server =
      transport === "tcp"
        ? createServer(collector.take)
        : createTlsServer(await authority.issue({ names: ["localhost"] }), collector.take);
    const port = await listen(server);
    const trust = createSecureContext({ ca: authority.caPem });
    const { copy, take, end } = copyTo({ transport, host: "localhost", port }, { trust });
    for (const [index, text] of TEXTS.entries()) take(index + 1, text);
    await collector.until((all) => messagesIn(all).length === TEXTS.length);
    assert.deepEqual(messagesIn(collector.bytes), TEXTS);
    await copy.drained();
    assert.deepEqual(copy.state, { connected: true, waiting: 0, dropped: 0 });
    await end();
    await close(server, collector);
  });
}

test("tls: a server of another authority, or of another name, gets nothing", async () => {
  const [ours, theirs] = [await makeAuthority(), await makeAuthority()];
  for (const certificate of [
    await theirs.issue({ names: ["localhost"] }),
    await ours.issue({ names: ["siem.other"] }),
  ]) {
    const collector = new Collector();
    const server = createTlsServer(certificate, collector.take);
    const port = await listen(server);
    const trust = createSecureContext({ ca: ours.caPem });
    const { copy, take, told, clock, end } = copyTo({ transport: "tls", host: "localhost", port }, { trust });
    take(1);
    while (clock.waits.length < 3) await new Promise(setImmediate);
    assert.deepEqual([copy.state.waiting, collector.bytes.byteLength], [1, 0]);
    assert.deepEqual(
      told.map(({ what }) => what),
      ["the syslog server is away; lines wait for it"],
    );
    await end();
    await close(server, collector);
  }
});

test("udp: one message a datagram", async () => {
  const server = createSocket("udp4");
  const datagrams: string[] = [];
  const all = new Promise<void>((resolve) => {
    server.on("message", (bytes) => {
      datagrams.push(bytes.toString());
      if (datagrams.length === TEXTS.length) resolve();
    });
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  const { take, end } = copyTo({ transport: "udp", host: "127.0.0.1", port: server.address().port });
  for (const [index, text] of TEXTS.entries()) take(index + 1, text);
  await all;
  assert.deepEqual(datagrams, TEXTS);
  await end();
  server.close();
});

test("a local socket: one message a line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-syslog-"));
  const collector = new Collector();
  const server = createServer(collector.take);
  await listen(server, join(folder, "log"));
  const { take, end } = copyTo({ transport: "unix", path: join(folder, "log") });
  take(1, "first");
  take(2, "second");
  await collector.until((all) => all.toString().split("\n").length === 3);
  assert.equal(collector.bytes.toString(), "first\nsecond\n");
  await end();
  await close(server, collector);
  rmSync(folder, { recursive: true });
});

test("a server that is away costs nothing but what the buffer cannot hold, and that is counted; then the rest comes", async () => {
  const collector = new Collector();
  let server = createServer(collector.take);
  const port = await listen(server);
  await close(server, collector);
  const size = framed(Buffer.from("message 10"), "tcp").byteLength;
  const { copy, take, told, clock, end } = copyTo(
    { transport: "tcp", host: "127.0.0.1", port },
    { bufferBytes: 10 * size },
  );
  for (let seq = 10; seq < 40; seq += 1) take(seq);
  assert.deepEqual(copy.state, { connected: false, waiting: 10, dropped: 20 });
  while (clock.waits.length < 5) await new Promise(setImmediate);
  assert.ok(clock.waits[1]! > clock.waits[0]!, "it waits longer each time");
  server = createServer(collector.take);
  await listen(server, port);
  await collector.until((all) => messagesIn(all).length === 10);
  assert.deepEqual(
    messagesIn(collector.bytes),
    Array.from({ length: 10 }, (_, index) => `message ${index + 30}`),
  );
  await copy.drained();
  await end();
  const lost = told.find(({ facts }) => facts.count !== undefined);
  assert.deepEqual(lost?.facts, { to: `tcp://127.0.0.1:${port}`, count: 20, firstSeq: 10, lastSeq: 29 });
  assert.ok(told.some(({ what }) => what === "the syslog server is back"));
  await close(server, collector);
});

test("a server that hangs up is dialled again with the next line", async () => {
  const collector = new Collector();
  const server = createServer(collector.take);
  const port = await listen(server);
  const { copy, take, end } = copyTo({ transport: "tcp", host: "127.0.0.1", port });
  for (let seq = 1; seq <= 3; seq += 1) {
    take(seq);
    await collector.until((all) => messagesIn(all).length === seq);
    for (const socket of collector.sockets) socket.destroy();
    while (copy.state.connected) await new Promise(setImmediate);
  }
  assert.deepEqual(messagesIn(collector.bytes), ["message 1", "message 2", "message 3"]);
  await end();
  await close(server, collector);
});

test("a server that takes nothing bounds nothing but the buffer: taking never waits", async () => {
  const collector = new Collector();
  const server = createServer((socket) => {
    socket.pause();
    collector.sockets.add(socket);
    socket.on("error", () => {});
  });
  const port = await listen(server);
  const { copy, take, end } = copyTo({ transport: "tcp", host: "127.0.0.1", port }, { bufferBytes: 64 * 1024 });
  const taken = (async (of: SyslogCopy) => {
    for (let seq = 1; of.state.dropped === 0; seq += 1) {
      take(seq, "x".repeat(4_000));
      if (seq % 64 === 0) await new Promise(setImmediate);
    }
  })(copy);
  await taken;
  assert.ok(copy.state.waiting <= 17);
  await end();
  await close(server, collector);
});

for (const [text, target] of [
  ["udp://siem", { transport: "udp", host: "siem", port: 514 }],
  ["tls://siem.corp.example", { transport: "tls", host: "siem.corp.example", port: 6514 }],
  ["tcp://[::1]:1514", { transport: "tcp", host: "::1", port: 1514 }],
  ["unix:/run/syslog", { transport: "unix", path: "/run/syslog" }],
  ["http://siem", undefined],
  ["tcp://siem:0", undefined],
  ["tcp://siem:70000", undefined],
  ["tcp://siem/path", undefined],
  ["unix:relative", undefined],
  ["tls://user@siem", undefined],
] as const) {
  test(`${text} is ${target === undefined ? "no target" : target.transport}`, () =>
    assert.deepEqual(parseTarget(text), target));
}
