import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import tls from "node:tls";
import { closing, makeBench, messages, nextAccept, outcome, RULES } from "./clients.ts";

const PATH = "agents/a1";

test("a sender's 101 comes only when the listener has come, with the sub-protocol it chose", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const senderSide = bench.connect(PATH, {}, ["sallyport.v2", "sallyport.v1"]);
  const accept = await accepting;
  assert.equal(senderSide.readyState, senderSide.CONNECTING);
  assert.equal(bench.relay.stats().waiting, 1);
  assert.equal(accept.connectHeaders["Sec-WebSocket-Protocol"], "sallyport.v2,sallyport.v1");
  const listenerSide = bench.open(accept.address, {}, ["sallyport.v1"]);
  await Promise.all([once(senderSide, "open"), once(listenerSide, "open")]);
  assert.equal(listenerSide.protocol, "sallyport.v1");
  assert.equal(senderSide.protocol, "sallyport.v1");
  assert.equal(bench.relay.stats().waiting, 0);
  assert.equal(bench.relay.stats().sessionsOpen, 1);
});

test("messages keep their order, kind and boundaries both ways", async (t) => {
  const bench = await makeBench(t);
  const { listenerSide, senderSide } = await bench.pair(PATH);
  const sent = ["text", Buffer.from([0, 255, 7]), "", Buffer.alloc(0), "zażółć", Buffer.alloc(300_000, 5)];
  const atListener = messages(listenerSide, sent.length);
  const atSender = messages(senderSide, sent.length);
  for (const message of sent) {
    senderSide.send(message);
    listenerSide.send(message);
  }
  assert.deepEqual(await atListener, sent);
  assert.deepEqual(await atSender, sent);
  const { bytesToListener, bytesToSender, messagesToListener, messagesToSender } = bench.relay.stats();
  const bytes = sent.reduce((sum, message) => sum + Buffer.byteLength(message), 0);
  assert.deepEqual([bytesToListener, bytesToSender], [bytes, bytes]);
  assert.deepEqual([messagesToListener, messagesToSender], [sent.length, sent.length]);
});

test("what the listener writes at once after its upgrade reaches the sender", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const senderSide = bench.connect(PATH);
  const received = messages(senderSide, 1);
  const listenerSide = bench.open((await accepting).address);
  listenerSide.on("open", () => listenerSide.send("hello"));
  assert.deepEqual(await received, ["hello"]);
});

test("the listener sees the sender's headers and address, but never its token", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const token = bench.token(RULES.send, PATH);
  const query = `&sb-hc-token=${encodeURIComponent(token)}&sb-hc-id=trace-7&own=1&b=%2F`;
  const senderSide = bench.open(bench.url("connect", `${PATH}/suffix/x`, query), {
    headers: {
      "Sallyport-Challenge": "c0ffee",
      servicebusAUTHORIZATION: token,
      "X-Twice": ["one", "two"] as unknown as string,
    },
  });
  const accept = await accepting;
  assert.equal(accept.id, "trace-7");
  assert.equal(accept.connectHeaders["Sallyport-Challenge"], "c0ffee");
  assert.equal(accept.connectHeaders["X-Twice"], "one, two");
  assert.match(accept.connectHeaders["Sec-WebSocket-Key"] ?? "", /^.{22}==$/);
  assert.equal(accept.connectHeaders.Host, `localhost:${bench.relay.controlPort}`);
  assert.equal(accept.remoteEndpoint.address, "127.0.0.1");
  assert.doesNotMatch(JSON.stringify(accept), /SharedAccessSignature|send-primary|sig=/i);
  const address = new URL(accept.address);
  assert.equal(address.pathname, "/$hc/agents/a1/suffix/x");
  assert.equal(address.searchParams.get("own"), "1");
  assert.equal(address.searchParams.get("sb-hc-action"), "accept");
  assert.equal(address.port, String(bench.relay.rendezvousPort));
  const listenerSide = bench.open(accept.address);
  await Promise.all([once(senderSide, "open"), once(listenerSide, "open")]);
});

test("what a hasty sender writes before its 101 is kept for the listener", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const { controlPort: port } = bench.relay;
  const raw = tls.connect({ host: "localhost", port, ca: bench.ca });
  t.after(() => raw.destroy());
  const maskedText = Buffer.from([0x81, 0x80 | 5, 0, 0, 0, 0, ...Buffer.from("early")]); // RFC 6455, 5.2
  raw.write(
    [
      `GET /$hc/${PATH}?sb-hc-action=connect HTTP/1.1`,
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      `ServiceBusAuthorization: ${bench.token(RULES.send, PATH)}`,
      "\r\n",
    ].join("\r\n"),
  );
  const { address } = await accepting;
  raw.write(maskedText);
  const listenerSide = bench.open(address);
  const received = messages(listenerSide, 2);
  await once(listenerSide, "open");
  raw.write(maskedText);
  assert.deepEqual(await received, ["early", "early"]);
});

test("a rejection reaches the sender with its status and words; the listener gets 410", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const refused = outcome(bench.connect(PATH));
  const { address } = await accepting;
  const rejection = await outcome(bench.open(`${address}&sb-hc-statusCode=429&sb-hc-statusDescription=agent.busy`));
  assert.equal(rejection.status, 410);
  assert.match(rejection.reason, /TrackingId:/);
  assert.deepEqual(await refused, { status: 429, reason: "agent.busy" });
  assert.equal((await outcome(bench.open(address))).status, 403);
});

test("a rejection's words cannot end the status line early", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const refused = outcome(bench.connect(PATH));
  const words = encodeURIComponent("no\r\nX-Evil: 1\r\n\r\nüß");
  await outcome(bench.open(`${(await accepting).address}&sb-hc-statusCode=999&sb-hc-statusDescription=${words}`));
  assert.deepEqual(await refused, { status: 400, reason: "no??X-Evil: 1????" + "??" });
});

test("a rendezvous address works once", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const senderSide = bench.connect(PATH);
  const { address } = await accepting;
  const listenerSide = bench.open(address);
  await Promise.all([once(senderSide, "open"), once(listenerSide, "open")]);
  const again = await outcome(bench.open(address));
  assert.equal(again.status, 403);
  assert.match(again.reason, /TrackingId:/);
  const forged = address.replace(/rendezvous=\w{4}/, "rendezvous=0000");
  assert.equal((await outcome(bench.open(forged))).status, 403);
});

test("a listener that does not come in time leaves the sender a 504, and an address that is void", async (t) => {
  const bench = await makeBench(t, { timings: { acceptMs: 50 } });
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const { status, reason } = await outcome(bench.connect(PATH));
  assert.equal(status, 504);
  assert.match(reason, /TrackingId:/);
  assert.equal((await outcome(bench.open((await accepting).address))).status, 403);
});

test("a sender that gives up makes its rendezvous void", async (t) => {
  const bench = await makeBench(t);
  const control = await bench.listen(PATH);
  const accepting = nextAccept(control);
  const senderSide = bench.connect(PATH);
  const { address } = await accepting;
  const gone = closing(senderSide);
  senderSide.terminate();
  await gone;
  // The relay learns of it through its own socket: ask until it has.
  while (bench.relay.stats().waiting > 0) await new Promise(setImmediate);
  assert.equal((await outcome(bench.open(address))).status, 403);
});

test("closing one side closes the other with the documented code, after what was on its way", async (t) => {
  const bench = await makeBench(t);
  const first = await bench.pair(PATH);
  const received = messages(first.listenerSide, 20);
  const atListener = closing(first.listenerSide);
  for (let n = 0; n < 20; n++) first.senderSide.send(Buffer.alloc(100_000, n));
  first.senderSide.close(1002, "protocol");
  assert.equal((await received).length, 20);
  const { code, reason } = await atListener;
  assert.equal(code, 1001);
  assert.match(reason, /TrackingId:/);
  first.control.close();

  const second = await bench.pair("agents/a2");
  const atSender = closing(second.senderSide);
  second.listenerSide.close(1011, "mine");
  assert.equal((await atSender).code, 1000);
});

test("a lost side shows as 1001 to the listener and 1011 to the sender", async (t) => {
  const bench = await makeBench(t);
  const first = await bench.pair(PATH);
  const atListener = closing(first.listenerSide);
  first.senderSide.terminate();
  assert.equal((await atListener).code, 1001);
  const second = await bench.pair("agents/a2");
  const atSender = closing(second.senderSide);
  second.listenerSide.terminate();
  assert.equal((await atSender).code, 1011);
});

test("with relayed close codes the other side sees what was sent", async (t) => {
  const bench = await makeBench(t, { closeCodes: "relayed" });
  const first = await bench.pair(PATH);
  const atSender = closing(first.senderSide);
  first.listenerSide.close(4001, "mine");
  assert.deepEqual(await atSender, { code: 4001, reason: "mine" });
  const second = await bench.pair("agents/a2");
  const atListener = closing(second.listenerSide);
  second.senderSide.close();
  assert.deepEqual(await atListener, { code: 1005, reason: "" });
});

test("a message larger than the relay takes ends the session", async (t) => {
  const bench = await makeBench(t, { maxMessageBytes: 1000 });
  const { listenerSide, senderSide } = await bench.pair(PATH);
  const atSender = closing(senderSide);
  const atListener = closing(listenerSide);
  senderSide.send(Buffer.alloc(1001));
  assert.equal((await atSender).code, 1009);
  assert.equal((await atListener).code, 1001);
});
