import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFreeFrameGate, createReceiveWindow, createSendWindow } from "./credit.ts";
import { MAX_WINDOW_BYTES } from "./request.ts";

const settled = async (work: Promise<unknown>): Promise<string> =>
  Promise.race([work.then(() => "taken"), new Promise<string>((resolve) => setImmediate(resolve, "waiting"))]);

describe("the sender's credit", () => {
  it("is taken at once while it lasts", async () => {
    const window = createSendWindow(10);
    await window.take(4);
    await window.take(6);
    assert.equal(window.available, 0);
    assert.equal(await settled(window.take(1)), "waiting");
  });

  it("a taker waits for all of its bytes, and is woken by the grant that completes them", async () => {
    const window = createSendWindow(0);
    const taking = window.take(10);
    window.grant(9);
    assert.equal(await settled(taking), "waiting");
    window.grant(1);
    await taking;
    assert.equal(window.available, 0);
  });

  it("serves in order: a small taker does not overtake a large one", async () => {
    const window = createSendWindow(5);
    const served: string[] = [];
    const large = window.take(8).then(() => served.push("large"));
    const small = window.take(1).then(() => served.push("small"));
    assert.equal(await settled(small), "waiting");
    window.grant(4);
    await Promise.all([large, small]);
    assert.deepEqual(served, ["large", "small"]);
    assert.equal(window.available, 0);
  });

  it("a taker that gives up lets those behind it through, and takes nothing", async () => {
    const window = createSendWindow(5);
    const giving = new AbortController();
    const large = window.take(100, giving.signal);
    const small = window.take(5);
    giving.abort(new Error("gave up"));
    await assert.rejects(large, /gave up/);
    await small;
    assert.equal(window.available, 0);
  });

  it("an abort after the bytes were taken changes nothing", async () => {
    const window = createSendWindow(0);
    const controller = new AbortController();
    const taking = window.take(5, controller.signal);
    window.grant(5);
    controller.abort();
    await taking;
    assert.equal(window.available, 0);
    window.grant(1);
    assert.equal(window.available, 1);
  });

  it("an aborted taker does not join the queue", async () => {
    const window = createSendWindow(0);
    await assert.rejects(window.take(1, AbortSignal.abort(new Error("over"))), /over/);
    window.grant(1);
    assert.equal(window.available, 1);
  });

  it("is never more than 64 MiB", () => {
    const window = createSendWindow(1);
    assert.throws(() => window.grant(MAX_WINDOW_BYTES), { code: "protocol.credit" });
    assert.equal(window.available, 1);
    window.grant(MAX_WINDOW_BYTES - 1);
    assert.throws(() => window.grant(1), { code: "protocol.credit" });
    window.grant(0);
    assert.equal(window.available, MAX_WINDOW_BYTES);
  });
});

describe("the receiver's credit", () => {
  it("takes as much as the window, and not a byte more", () => {
    const window = createReceiveWindow(1000);
    window.arrived(999);
    window.arrived(1);
    assert.throws(() => window.arrived(1), { code: "protocol.credit" });
  });
  it("grants what was staged, once it is an eighth of the window", () => {
    const window = createReceiveWindow(800);
    window.arrived(800);
    assert.equal(window.staged(60), 0);
    assert.throws(() => createReceiveWindow(8).arrived(9), { code: "protocol.credit" });
    assert.equal(window.staged(40), 100);
    window.arrived(100);
    assert.throws(() => window.arrived(1), { code: "protocol.credit" });
  });
});

describe("frames that need no credit", () => {
  it("200 within ten seconds are the most", () => {
    const gate = createFreeFrameGate();
    for (let index = 0; index < 200; index++) gate(index * 49);
    assert.throws(() => gate(9_999), { code: "protocol.order" });
  });
  it("20 a second go on for ever", () => {
    const gate = createFreeFrameGate();
    for (let index = 0; index < 2000; index++) gate(index * 50);
  });
  it("a burst late in one span and one early in the next are 400 within ten seconds", () => {
    const gate = createFreeFrameGate();
    gate(0);
    for (let index = 0; index < 199; index++) gate(9_900);
    gate(10_000);
    assert.throws(() => gate(10_001), { code: "protocol.order" });
  });
});
