import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import { encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { batchOf, COLUMNS, session, WINDOW, zerosOf } from "./test-session.ts";

describe("a whole session", () => {
  it("hands on schema, batches and checkpoints in order, and ends with the agent's counts", async (t) => {
    const s = session(t);
    s.schema();
    s.batch(batchOf(3), 3);
    s.checkpoint("p1");
    s.say(FRAME.progress, jsonBody({ rows: 3, bytes: 0 }));
    s.batch(batchOf(2), 2);
    s.checkpoint("p2");
    s.end({ position: "p2" });
    const outcome = await s.receiving.outcome;
    assert.ok(outcome.ok);
    assert.deepEqual([outcome.rows, outcome.batches, outcome.position, outcome.complete], [5, 2, "p2", true]);
    assert.deepEqual(s.consumed, ["schema", "batch 3", "checkpoint 3 p1", "batch 2", "checkpoint 5 p2"]);
    assert.deepEqual(s.closes, [1000]);
  });

  it("gives the bytes of a batch as the agent encoded them, over many pieces", async (t) => {
    const message = batchOf(1, 1_000_000);
    let given: Uint8Array | undefined;
    const s = session(t, {
      batch: async ({ bytes }) => {
        given = bytes;
      },
    });
    s.schema();
    s.batch(message, 1);
    s.end();
    assert.equal((await s.receiving.outcome).ok, true);
    assert.ok(given !== undefined && Buffer.from(message).equals(given));
  });

  it("a checkpoint without a position is counted and not handed on", async (t) => {
    const s = session(t);
    s.schema();
    s.batch(batchOf(1), 1);
    s.checkpoint("", { position: undefined });
    s.end();
    assert.equal((await s.receiving.outcome).ok, true);
    assert.deepEqual(s.consumed, ["schema", "batch 1"]);
  });

  it("an agent's own error is an outcome", async (t) => {
    const s = session(t);
    const error = { code: "sql.deadlock", message: "Lost.", retryable: true, detail: { number: 1205 } };
    s.say(FRAME.error, jsonBody(error));
    const { code, message, detail } = error;
    assert.deepEqual(await s.receiving.outcome, { ok: false, code, message, detail });
    assert.deepEqual(s.closes, [1000]);
  });

  it("what comes after the end is not looked at", async (t) => {
    const s = session(t);
    s.end();
    await s.receiving.outcome;
    s.receiving.message(Buffer.from("garbage"));
    s.receiving.closed();
    assert.deepEqual(s.closes, [1000]);
  });
});

describe("back-pressure", () => {
  it("credits a batch only when the consumer's promise settled, and hands on one at a time", async (t) => {
    const gate = Promise.withResolvers<void>();
    const s = session(t, { batch: () => gate.promise });
    s.schema();
    const message = batchOf(1, 200_000);
    for (let index = 0; index < 5; index++) s.batch(message, 1);
    await s.pass(1000);
    assert.equal(s.credit(), 0);
    assert.deepEqual(s.consumed, ["schema", "batch 1"]);
    gate.resolve();
    await s.pass(1000);
    assert.equal(s.consumed.length, 6);
    assert.ok(s.credit() >= 5 * message.byteLength - WINDOW / 8 && s.credit() <= 5 * message.byteLength + 20_000);
    s.controller.abort();
    s.receiving.closed();
    await s.receiving.outcome;
  });

  it("an agent that exceeds its credit is cut off", async (t) => {
    const s = session(t, { batch: () => new Promise(() => undefined) });
    s.schema();
    const message = batchOf(1, 1_000_000);
    for (let index = 0; index < 5; index++) s.batch(message, 1);
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "protocol.credit");
    assert.deepEqual(s.closes, [1002]);
  });

  it("however fast it goes, the agent gets no more small frames than it takes", async (t) => {
    const s = session(t);
    s.schema();
    const message = batchOf(1, 1_000_000);
    for (let second = 0; second < 10; second++) {
      for (let index = 0; index < 50; index++) {
        s.batch(message, 1);
        await turn();
        await turn();
        if (index % 3 === 2) await s.pass(60);
      }
    }
    assert.equal(s.consumed.length, 501);
    const took = 10 * 16 * 60;
    assert.ok(s.sentOf(FRAME.credit).length <= took / 50, `${s.sentOf(FRAME.credit).length} frames in ${took} ms`);
    s.end();
    assert.equal((await s.receiving.outcome).ok, true);
  });
});

describe("a consumer that fails", () => {
  for (const name of ["schema", "batch", "checkpoint"] as const) {
    it(`in ${name}: its error is thrown as it is, and the session closes`, async (t) => {
      const broken = new SallyportError("storage.failed", "The storage is gone.");
      const s = session(t, { [name]: () => Promise.reject(broken) });
      s.schema();
      s.batch(batchOf(1), 1);
      s.checkpoint("p");
      s.end();
      await assert.rejects(s.receiving.outcome, (thrown) => thrown === broken);
      assert.deepEqual(s.closes, [1011]);
    });
  }
  it("with a limit of its own is thrown too: only the agent's faults are outcomes", async (t) => {
    const broken = new SallyportError("limit.memory", "Ours.");
    const s = session(t, { batch: () => Promise.reject(broken) });
    s.schema();
    s.batch(batchOf(1), 1);
    await assert.rejects(s.receiving.outcome, (thrown) => thrown === broken);
  });
});

describe("what an agent may not", () => {
  const cases: Readonly<Record<string, readonly [code: string, act: (s: ReturnType<typeof session>) => void]>> = {
    "a hostile batch": ["protocol.batch", (s) => s.batch(batchOf(3).fill(0xff, 60, 100), 3)],
    "a batch that is no Arrow": ["protocol.batch", (s) => s.batch(randomBytes(500), 1)],
    "a checkpoint that counts other rows": ["protocol.order", (s) => s.checkpoint("p", { rows: 1 })],
    "an end that counts other rows": ["protocol.order", (s) => s.end({ rows: 1 })],
    "an end that counts other batches": ["protocol.order", (s) => s.end({ batches: 1 })],
    "an end that counts other bytes": ["protocol.order", (s) => s.end({ bytes: 1 })],
    "a frame of the orchestrator": ["protocol.order", (s) => s.say(FRAME.cancel, jsonBody({ reason: "x" }))],
    "an altered frame": [
      "protocol.integrity",
      (s) => s.receiving.message(s.seal(FRAME.progress, Buffer.of(1)).fill(0, 5, 9)),
    ],
    "a text": ["protocol.order", (s) => s.receiving.message(Buffer.of(0))],
    "a second hello": ["protocol.order", (s) => s.receiving.message(Buffer.from([1, 2, 3]))],
  };
  for (const [name, [code, act]] of Object.entries(cases)) {
    it(`${name}: ${code}`, async (t) => {
      const s = session(t);
      s.schema();
      act(s);
      const outcome = await s.receiving.outcome;
      assert.ok(!outcome.ok);
      assert.equal(outcome.code, code);
      assert.deepEqual(s.closes, [1002]);
      assert.ok(!s.consumed.some((what) => what.startsWith("batch")));
    });
  }
  it("a schema without a plan, or that is none", async (t) => {
    for (const bytes of [encodeSchema(COLUMNS), encodeSchema(COLUMNS, { "sallyport.plan": "{}" }), randomBytes(300)]) {
      const s = session(t);
      s.say(FRAME.schema, bytes);
      const outcome = await s.receiving.outcome;
      assert.ok(!outcome.ok && outcome.code === "protocol.batch");
      assert.deepEqual(s.consumed, []);
      t.mock.reset();
    }
  });
  it("more rows or bytes than were asked for", async (t) => {
    for (const [code, limits] of [
      ["limit.rows", { rows: 5 }],
      ["limit.bytes", { bytes: 2000 }],
    ] as const) {
      const s = session(t, {}, limits);
      s.schema();
      s.batch(batchOf(5), 5);
      s.batch(batchOf(1, 1900), 1);
      const outcome = await s.receiving.outcome;
      assert.ok(!outcome.ok);
      // The limit, and not what was left of it.
      assert.deepEqual([outcome.code, outcome.detail], [code, limits]);
      assert.deepEqual(s.consumed, ["schema", "batch 5"]);
      t.mock.reset();
    }
  });
  it("a batch that would become more than is left: it is not decompressed", async (t) => {
    const s = session(t, {}, { bytes: 2 ** 20 });
    s.schema();
    // Zeros: some hundred bytes that become 4 MiB.
    const message = zerosOf(4 * 2 ** 20);
    assert.ok(message.byteLength < 4096);
    s.batch(message, 1);
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "limit.bytes");
    assert.match(outcome.message, /is to become more than/);
  });
  it("a result for an operation that gives none, a second one, one larger than what is left", async (t) => {
    const given: number[] = [];
    const result = async (bytes: Uint8Array) => void given.push(bytes.byteLength);
    for (const [code, sizes, consume, limits] of [
      ["protocol.order", [10], {}, {}],
      ["protocol.order", [10, 10], { result }, {}],
      ["limit.bytes", [2001], { result }, { bytes: 2000 }],
    ] as const) {
      given.length = 0;
      const s = session(t, consume, limits);
      for (const size of sizes) s.say(FRAME.result, Buffer.alloc(size, "1"));
      const outcome = await s.receiving.outcome;
      assert.ok(!outcome.ok);
      assert.equal(outcome.code, code);
      assert.ok(given.length < sizes.length);
      t.mock.reset();
    }
    const s = session(t, { result }, { bytes: 2000 });
    s.say(FRAME.result, Buffer.alloc(2000, "1"));
    s.end();
    assert.equal((await s.receiving.outcome).ok, true);
    assert.equal(given.at(-1), 2000);
  });
  it("a row larger than the request allows", async (t) => {
    const s = session(t, {}, { rowBytes: 1000 });
    s.schema();
    s.batch(batchOf(2, 2000), 2);
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "protocol.batch");
  });
  it("more than 20 small frames a second", async (t) => {
    const s = session(t);
    for (let index = 0; index < 201; index++) s.say(FRAME.progress, jsonBody({ rows: 0, bytes: 0 }));
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "protocol.order");
  });
});

describe("a session that ends too early", () => {
  it("is truncated, after what had arrived was handed on", async (t) => {
    const s = session(t);
    s.schema();
    s.batch(batchOf(4), 4);
    s.receiving.closed();
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "protocol.truncated");
    assert.deepEqual(s.consumed, ["schema", "batch 4"]);
  });
  it("by silence: 60 seconds without a valid frame, while our own heartbeats go on", async (t) => {
    const s = session(t);
    s.schema();
    await s.pass(50_000);
    s.say(FRAME.progress, jsonBody({ rows: 0, bytes: 0 }));
    await s.pass(60_000);
    assert.deepEqual(s.closes, []);
    assert.ok(s.sentOf(FRAME.credit).length >= 6);
    await s.pass(16_000);
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "protocol.silent");
  });
});

describe("stopping", () => {
  it("an abort sends one cancel, and the agent's answer ends the session as cancelled", async (t) => {
    const s = session(t);
    s.schema();
    s.controller.abort();
    assert.equal(s.sentOf(FRAME.cancel).length, 1);
    s.say(FRAME.error, jsonBody({ code: "sql.failed", message: "Stopped.", retryable: false, detail: {} }));
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "request.cancelled");
    assert.equal(s.sentOf(FRAME.cancel).length, 1);
  });
  it("an agent that does not stop within ten seconds is left", async (t) => {
    const s = session(t);
    s.controller.abort();
    await s.pass(9_000);
    assert.deepEqual(s.closes, []);
    await s.pass(1_000);
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "request.cancelled");
    assert.deepEqual(s.closes, [1002]);
  });
  it("even while the consumer hangs", async (t) => {
    const s = session(t, { batch: () => new Promise(() => undefined) });
    s.schema();
    s.batch(batchOf(1), 1);
    await s.pass(1000);
    s.controller.abort();
    await s.pass(10_000);
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "request.cancelled");
  });
  it("a session longer than its limit, and some grace, is cancelled as limit.time", async (t) => {
    const s = session(t, {}, { seconds: 40 });
    const talk = async (ms: number) => {
      s.say(FRAME.progress, jsonBody({ rows: 0, bytes: 0 }));
      await s.pass(ms);
    };
    await talk(30_000);
    await talk(30_000);
    await talk(9_000);
    assert.equal(s.sentOf(FRAME.cancel).length, 0);
    await talk(1_000);
    assert.equal(s.sentOf(FRAME.cancel).length, 1);
    s.receiving.closed();
    const outcome = await s.receiving.outcome;
    assert.ok(!outcome.ok && outcome.code === "limit.time");
  });
  it("finish is sent once, and the session ends when the agent says so", async (t) => {
    const s = session(t, { checkpoint: async () => "finish" });
    s.schema();
    for (const position of ["p1", "p2", "p3"]) {
      s.batch(batchOf(1), 1);
      s.checkpoint(position);
    }
    s.end({ complete: false, position: "p3" });
    const outcome = await s.receiving.outcome;
    assert.ok(outcome.ok && !outcome.complete);
    assert.equal(s.sentOf(FRAME.finish).length, 1);
    assert.equal(s.consumed.length, 7);
  });
  it("leaves no timer behind: nothing is sent or looked at after the end", async (t) => {
    const s = session(t);
    s.end();
    await s.receiving.outcome;
    const before = [s.clockReads(), s.sentOf(FRAME.credit).length];
    await s.pass(120_000);
    s.controller.abort();
    assert.deepEqual([s.clockReads(), s.sentOf(FRAME.credit).length], before);
    assert.equal(s.sentOf(FRAME.cancel).length, 0);
    assert.deepEqual(s.closes, [1000]);
  });
});
