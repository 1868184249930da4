import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { RawData, WebSocket } from "ws";
import { type Bench, closing, makeBench, messages, nextAccept, outcome, RULES } from "./clients.ts";
import type { Direction, HandshakeFault } from "./fault-rules.ts";

const PATH = "agents/a1";

function tryListen(bench: Bench, path = PATH): WebSocket {
  const headers = { ServiceBusAuthorization: bench.token(RULES.listen, path) };
  return bench.open(bench.url("listen", path), { headers, handshakeTimeout: 5000 });
}

test("a port refuses TCP connections and takes them again; open ones stay", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  await bench.relay.faults.refuseConnections("control", true);
  assert.equal((await outcome(tryListen(bench))).error, "ECONNREFUSED");
  const ponged = new Promise((resolve) => control.once("pong", resolve));
  control.ping();
  await ponged;
  await bench.relay.faults.refuseConnections("control", false);
  assert.equal((await outcome(tryListen(bench))).status, 101);
  await bench.relay.faults.refuseConnections("rendezvous", true);
  const lone = await bench.listen("agents/a2");
  const meeting = nextAccept(lone);
  bench.connect("agents/a2");
  assert.equal((await outcome(bench.open((await meeting).address))).error, "ECONNREFUSED");
});

test("handshakes: statuses, resets, wrong hashes; each as often as asked", async (t) => {
  const bench = await makeBench(t);
  const cases: [fault: HandshakeFault, status: number, reason: RegExp][] = [
    [{ do: "status", status: 401 }, 401, /TrackingId/],
    [{ do: "status", status: 403, on: "listen" }, 403, /TrackingId/],
    [{ do: "status", status: 404, path: "agents" }, 404, /TrackingId/],
    [{ do: "status", reason: "ServerBusy" }, 503, /^ServerBusy. TrackingId/],
    [{ do: "wrongAcceptHash" }, 0, /Invalid Sec-WebSocket-Accept/],
    [{ do: "reset" }, 0, /ECONNRESET|socket hang up/],
  ];
  for (const [fault, status, reason] of cases) {
    bench.relay.faults.handshake({ ...fault, times: 2 });
    for (let n = 0; n < 2; n++) {
      const got = await outcome(tryListen(bench));
      assert.equal(got.status, status);
      assert.match(got.reason, reason);
    }
    assert.equal((await outcome(tryListen(bench))).status, 101);
  }
  bench.relay.faults.handshake({ do: "status", path: "agents/a2" });
  bench.relay.faults.handshake({ do: "status", on: "rendezvous" });
  assert.equal((await outcome(tryListen(bench))).status, 101);
});

test("a handshake that hangs before 101, and one after it", async (t) => {
  const bench = await makeBench(t);
  const takeBack = bench.relay.faults.handshake({ do: "hangBefore101" });
  const headers = { ServiceBusAuthorization: bench.token(RULES.listen) };
  const hung = await outcome(bench.open(bench.url("listen", PATH), { headers, handshakeTimeout: 50 }));
  assert.match(hung.reason, /handshake has timed out/);
  takeBack();
  const takeBackAfter = bench.relay.faults.handshake({ do: "hangAfter101", on: "listen" });
  const deaf = tryListen(bench);
  assert.equal((await outcome(deaf)).status, 101);
  deaf.on("pong", () => assert.fail("a hung channel answered"));
  deaf.ping();
  assert.equal(bench.relay.stats().listeners, 0);
  takeBackAfter();
  const { senderSide } = await bench.pair(PATH);
  assert.equal(senderSide.readyState, senderSide.OPEN);
});

test("a fault at the rendezvous does not use the address up", async (t) => {
  const bench = await makeBench(t);
  bench.relay.faults.handshake({ do: "status", status: 503, on: "rendezvous", times: 1 });
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const senderSide = bench.connect(PATH);
  const { address } = await accepting;
  assert.equal((await outcome(bench.open(address))).status, 503);
  bench.open(address);
  assert.equal((await outcome(senderSide)).status, 101);
});

test("control channels and sessions close with any code, by path", async (t) => {
  const bench = await makeBench(t);
  const other = await bench.listen("agents/a2");
  for (const code of [1001, 1008, 1011, 1012]) {
    const { control, listenerSide, senderSide } = await bench.pair(PATH);
    const controlClosed = closing(control);
    assert.equal(bench.relay.faults.closeListeners(code, PATH), 1);
    const { code: got, reason } = await controlClosed;
    assert.equal(got, code);
    assert.match(reason, /TrackingId:/);
    const sidesClosed = [listenerSide, senderSide].map(closing);
    assert.equal(bench.relay.faults.closeSessions(code), 1);
    for (const closed of await Promise.all(sidesClosed)) assert.equal(closed.code, code);
  }
  assert.equal(other.readyState, other.OPEN);
  const recycled = closing(other);
  assert.equal(bench.relay.faults.recycle(), 1);
  assert.equal((await recycled).code, 1011);
});

test("resets end control channels and sessions without a close frame", async (t) => {
  const bench = await makeBench(t);
  const { control, listenerSide, senderSide } = await bench.pair(PATH);
  const { _socket: tcp } = control as unknown as { _socket: Socket };
  const controlError = new Promise<NodeJS.ErrnoException>((resolve) => tcp.once("error", resolve));
  const controlClosed = closing(control);
  assert.equal(bench.relay.faults.resetListeners(), 1);
  assert.equal((await controlError).code, "ECONNRESET");
  assert.equal((await controlClosed).code, 1006);
  const listenerClosed = closing(listenerSide);
  const senderClosed = closing(senderSide);
  assert.equal(bench.relay.faults.resetSessions("listener"), 1);
  assert.equal((await listenerClosed).code, 1006);
  assert.equal((await senderClosed).code, 1011);
});

test("a frozen control channel stays open and hears nothing", async (t) => {
  const bench = await makeBench(t, { timings: { acceptMs: 50 } });
  const control = await bench.listen(PATH);
  control.on("message", () => assert.fail("a frozen channel spoke"));
  control.on("pong", () => assert.fail("a frozen channel answered"));
  assert.equal(bench.relay.faults.freezeListeners(PATH), 1);
  control.ping();
  assert.equal((await outcome(bench.connect(PATH))).status, 504);
  assert.equal(control.readyState, control.OPEN);
});

test("control frames that no listener expects", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const next = async () => (await once(control, "message")) as [data: RawData, isBinary: boolean];
  for (const [frame, check] of [
    ["notJson", (text: string, binary: boolean) => !binary && text.startsWith("{ this")],
    ["binary", (_text: string, binary: boolean) => binary],
    ["oversize", (text: string, binary: boolean) => !binary && text.length > 128 * 1024],
    ["unknown", (text: string) => "greeting" in JSON.parse(text)],
    [{ text: "own" }, (text: string, binary: boolean) => !binary && text === "own"],
    [{ binary: Buffer.from("b") }, (text: string, binary: boolean) => binary && text === "b"],
  ] as const) {
    const arriving = next();
    assert.equal(bench.relay.faults.controlFrame(frame), 1);
    const [data, binary] = await arriving;
    assert.ok(check(data.toString(), binary), JSON.stringify(frame));
  }
});

test("accepts: without headers, without key, twice, forged, lost", async (t) => {
  const bench = await makeBench(t, { timings: { acceptMs: 100 } });
  const control = await bench.listen(PATH);
  const { faults } = bench.relay;
  faults.accept({ do: "withoutHeaders", times: 1 });
  faults.accept({ do: "withoutKey", times: 1 });
  faults.accept({ do: "forge", times: 1, address: "wss://evil.invalid/$hc/x" });
  faults.accept({ do: "duplicate", times: 1 });
  const arriving = messages(control, 5);
  const accepts = async () => (await arriving).map((text) => JSON.parse(String(text)).accept);
  for (let n = 0; n < 4; n++) bench.connect(PATH);
  const [headless, keyless, forged, first, second] = await accepts();
  assert.ok(!("connectHeaders" in headless) && headless.address);
  assert.ok(keyless.connectHeaders.Host && !("Sec-WebSocket-Key" in keyless.connectHeaders));
  assert.equal(forged.address, "wss://evil.invalid/$hc/x");
  assert.deepEqual(first, second);
  faults.accept({ do: "lose" });
  control.on("message", () => assert.fail("a lost accept arrived"));
  assert.equal((await outcome(bench.connect(PATH))).status, 504);
});

test("the n-th message of a direction is altered, dropped, repeated or late", async (t) => {
  const expected = {
    alter: ["one", "tvo", "three"],
    drop: ["one", "three"],
    repeat: ["one", "two", "two", "three"],
    reorder: ["one", "three", "two"],
  } as const;
  const bench = await makeBench(t);
  for (const direction of ["toListener", "toSender"] as const satisfies Direction[]) {
    for (const [act, arrived] of Object.entries(expected)) {
      bench.relay.faults.message({ direction, nth: 2, do: act as keyof typeof expected, path: PATH });
      const { control, listenerSide, senderSide } = await bench.pair(PATH);
      const [from, to] = direction === "toListener" ? [senderSide, listenerSide] : [listenerSide, senderSide];
      const received = messages(to, arrived.length);
      const back = messages(from, 3);
      for (const text of ["one", "two", "three"]) {
        from.send(text);
        to.send(text);
      }
      assert.deepEqual(await received, arrived);
      assert.deepEqual(await back, ["one", "two", "three"]);
      bench.relay.faults.clear();
      const closed = closing(control);
      control.terminate();
      await closed;
      while (bench.relay.stats().listeners > 0) await new Promise(setImmediate);
    }
  }
});

test("messages are cut into fragments with pings between them, and arrive whole", async (t) => {
  const bench = await makeBench(t);
  const { listenerSide, senderSide } = await bench.pair(PATH);
  bench.relay.faults.link({ fragmentBytes: 1000, pings: true, direction: "toListener" });
  let pings = 0;
  listenerSide.on("ping", () => {
    pings += 1;
  });
  senderSide.on("ping", () => assert.fail("a ping in the other direction"));
  const sent = [Buffer.from(Array.from({ length: 10_000 }, (_, n) => n % 251)), "ż".repeat(1500), "short"];
  const received = messages(listenerSide, 3);
  for (const message of sent) senderSide.send(message);
  assert.deepEqual(await received, sent);
  assert.equal(pings, 9 + 2);
});

test("a link stands still, and goes on when the fault is taken away", async (t) => {
  const bench = await makeBench(t, { highWaterBytes: 1000 });
  const { listenerSide, senderSide } = await bench.pair(PATH);
  const takeBack = bench.relay.faults.link({ bytesPerSecond: 0 });
  const received = messages(listenerSide, 10);
  for (let n = 0; n < 10; n++) senderSide.send(Buffer.alloc(500, n));
  while (bench.relay.stats().heldBytes <= 1000) await new Promise(setImmediate);
  assert.equal(bench.relay.stats().messagesToListener, 0);
  takeBack();
  assert.deepEqual(
    await received,
    Array.from({ length: 10 }, (_, n) => Buffer.alloc(500, n)),
  );
  while (bench.relay.stats().heldBytes > 0) await new Promise(setImmediate);
});

test("latency and bandwidth hold messages back for at least their time", async (t) => {
  const bench = await makeBench(t);
  const { listenerSide, senderSide } = await bench.pair(PATH);
  const takeBack = bench.relay.faults.link({ latencyMs: 30 });
  const echo = (data: RawData, binary: boolean) => listenerSide.send(data, { binary });
  listenerSide.on("message", echo);
  const roundTrip = async (count: number) => {
    const startedMs = performance.now();
    const back = messages(senderSide, count);
    for (let n = 0; n < count; n++) senderSide.send(Buffer.alloc(1000, n));
    assert.deepEqual(
      await back,
      Array.from({ length: count }, (_, n) => Buffer.alloc(1000, n)),
    );
    return performance.now() - startedMs;
  };
  assert.ok((await roundTrip(10)) >= 60);
  takeBack();
  bench.relay.faults.link({ bytesPerSecond: 100_000, direction: "toSender" });
  assert.ok((await roundTrip(10)) >= 100);
});
