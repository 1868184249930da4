/** One suite for both control channels: whatever the library does, the agent sees the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@sallyport/agent/src/clock.ts";
import { type ControlChannel, type OpenSocket, openChannel } from "@sallyport/agent/src/supervisor/channel.ts";
import { openHycoSocket } from "@sallyport/agent/src/supervisor/channel-hyco.ts";
import { openWsSocket } from "@sallyport/agent/src/supervisor/channel-ws.ts";
import { onControlMessage, renewTokenFrame } from "@sallyport/agent/src/supervisor/control-message.ts";
import { type Bench, makeBench, RULES } from "../../emulators/relay/clients.ts";
import { makeClock } from "./hand-clock.ts";

const PATH = "agents/a1";

function connect(bench: Bench, open: OpenSocket, clock: Clock, token = bench.token(RULES.listen)) {
  const texts: string[] = [];
  const arrived: (() => void)[] = [];
  const listenUrl = bench.url("listen", PATH);
  const onText = (text: string): void => {
    texts.push(text);
    for (const go of arrived.splice(0)) go();
  };
  const channel: ControlChannel = openChannel(open, { listenUrl, token, network: { caPem: bench.ca } }, onText, clock);
  const nextText = () => new Promise<void>((resolve) => arrived.push(resolve));
  return { channel, texts, nextText };
}

for (const [name, open] of [
  ["hyco-ws", openHycoSocket],
  ["ws", openWsSocket],
] as const) {
  test(`${name}: opens, hears an accept, takes a renewed token, closes`, async (t) => {
    const bench = await makeBench(t, { timings: { tokenCheckMs: 5 } });
    const { clock } = makeClock();
    const { channel, texts, nextText } = connect(bench, open, clock);
    assert.equal(await channel.opened, true);
    const heard = nextText();
    const sender = bench.connect(PATH);
    sender.on("error", () => {});
    await heard;
    const action = onControlMessage(texts[0]!);
    assert.equal(action.do, "accept");
    channel.send(renewTokenFrame("not a token"));
    assert.deepEqual((await channel.down).kind, "closed");
  });

  for (const [status, token, path] of [
    [401, "SharedAccessSignature sr=x&sig=y&se=1&skn=listen", PATH],
    [404, undefined, "agents/none"],
  ] as const) {
    test(`${name}: a handshake refused with ${status} says so, with the relay's tracking id`, async (t) => {
      const bench = await makeBench(t);
      const { clock } = makeClock();
      const listenUrl = bench.url("listen", path);
      const target = { listenUrl, token: token ?? bench.token(RULES.listen), network: { caPem: bench.ca } };
      const channel = openChannel(open, target, () => {}, clock);
      assert.equal(await channel.opened, false);
      const down = await channel.down;
      assert.equal(down.kind === "refused" && down.status, status);
      assert.ok(down.kind === "refused" && down.trackingId);
    });
  }

  test(`${name}: a certificate of a stranger's authority is refused`, async (t) => {
    const bench = await makeBench(t);
    const { clock } = makeClock();
    const target = { listenUrl: bench.url("listen", PATH), token: bench.token(RULES.listen), network: {} };
    const channel = openChannel(open, target, () => {}, clock);
    assert.equal((await channel.down).kind, "failed");
  });

  test(`${name}: refused TCP, reset handshake and a wrong accept hash are failures, not crashes`, async (t) => {
    const bench = await makeBench(t);
    const { clock } = makeClock();
    for (const fault of ["reset", "wrongAcceptHash"] as const) {
      bench.relay.faults.handshake({ on: "listen", do: fault, times: 1 });
      assert.equal((await connect(bench, open, clock).channel.down).kind, "failed", fault);
    }
    await bench.relay.faults.refuseConnections("control", true);
    assert.equal((await connect(bench, open, clock).channel.down).kind, "failed");
  });

  test(`${name}: a handshake that hangs is given up after 20 s, and its socket freed`, async (t) => {
    const bench = await makeBench(t);
    const { clock, pass } = makeClock();
    bench.relay.faults.handshake({ on: "listen", do: "hangBefore101" });
    const { channel } = connect(bench, open, clock);
    await pass(19_999);
    await pass(1);
    assert.deepEqual(await channel.down, { kind: "failed", why: "no handshake within 20 s" });
    assert.equal(await channel.opened, false);
  });

  test(`${name}: a channel that stands still is noticed within 45 s`, async (t) => {
    const bench = await makeBench(t);
    const { clock, pass } = makeClock();
    const { channel } = connect(bench, open, clock);
    await channel.opened;
    bench.relay.faults.freezeListeners();
    await pass(45_000);
    assert.deepEqual(await channel.down, { kind: "failed", why: "no pong within 10 s" });
  });

  for (const code of [1001, 1008, 1011]) {
    test(`${name}: a close with ${code} arrives as ${code}`, async (t) => {
      const bench = await makeBench(t);
      const { channel } = connect(bench, open, makeClock().clock);
      await channel.opened;
      bench.relay.faults.closeListeners(code);
      const down = await channel.down;
      assert.equal(down.kind === "closed" && down.code, code);
    });
  }

  test(`${name}: a reset ends the channel`, async (t) => {
    const bench = await makeBench(t);
    const { channel } = connect(bench, open, makeClock().clock);
    await channel.opened;
    bench.relay.faults.resetListeners();
    assert.notEqual((await channel.down).kind, "refused");
  });

  test(`${name}: frames that are no JSON, binary or unknown are survived`, async (t) => {
    const bench = await makeBench(t);
    const { channel, texts, nextText } = connect(bench, open, makeClock().clock);
    await channel.opened;
    for (const frame of ["binary", "notJson", "unknown"] as const) bench.relay.faults.controlFrame(frame);
    const last = nextText();
    bench.relay.faults.controlFrame({ text: JSON.stringify({ request: { id: "7", method: "GET" } }) });
    await last;
    while (texts.length < 3) await nextText();
    assert.deepEqual(
      texts.map((text) => onControlMessage(text).do),
      ["ignore", "ignore", "answer"],
    );
    channel.close();
    assert.deepEqual(await channel.down, { kind: "closed", code: 1000, reason: "closed by us" });
  });

  test(`${name}: a control frame of 512 kB ends the channel instead of filling memory`, async (t) => {
    const bench = await makeBench(t);
    const { channel, texts } = connect(bench, open, makeClock().clock);
    await channel.opened;
    bench.relay.faults.controlFrame("oversize");
    assert.equal((await channel.down).kind, "failed");
    assert.deepEqual(texts, []);
  });
}
