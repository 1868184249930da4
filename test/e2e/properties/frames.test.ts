import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createAgentStream } from "@sallyport/shared/protocol/agent-stream.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createOpener, createSealer, FRAME, type FrameType, pieces } from "@sallyport/shared/protocol/frames.ts";
import fc from "fast-check";

const type = fc.constantFrom<FrameType>(...Object.values(FRAME));
const PIECED: readonly FrameType[] = [FRAME.schema, FRAME.batch, FRAME.result];
const sequence = fc.array(fc.record({ type, body: fc.uint8Array({ maxLength: 2000 }), last: fc.boolean() }), {
  minLength: 1,
  maxLength: 30,
});
type Sent = { type: FrameType; body: Uint8Array; last: boolean };

const sealAll = (key: Uint8Array, sent: readonly Sent[]) => {
  const seal = createSealer(key);
  return sent.map(({ type: kind, body, last }) => seal(kind, body, PIECED.includes(kind) && last));
};
/** How many records of a list open before one is refused with protocol.integrity. */
const openedBefore = (key: Uint8Array, records: readonly Uint8Array[]): number => {
  const open = createOpener(key);
  for (const [index, record] of records.entries()) {
    try {
      open(record);
    } catch (error) {
      assert.ok(error instanceof SallyportError && error.code === "protocol.integrity");
      return index;
    }
  }
  return records.length;
};

test("any sequence of frames opens as it was sealed", () => {
  fc.assert(
    fc.property(sequence, (sent) => {
      const key = randomBytes(32);
      const open = createOpener(key);
      const arrived = sealAll(key, sent).map((record) => open(record));
      assert.deepEqual(
        arrived,
        sent.map(({ type: kind, body, last }) => ({
          type: kind,
          body: Buffer.from(body),
          last: PIECED.includes(kind) && last,
        })),
      );
    }),
  );
});

test("a frame that was dropped, repeated, exchanged or altered is noticed at its place", () => {
  const place = fc.nat();
  fc.assert(
    fc.property(sequence, place, place, fc.integer({ min: 0, max: 7 }), (sent, first, second, bit) => {
      const key = randomBytes(32);
      const records = sealAll(key, [...sent, { type: FRAME.finish, body: new Uint8Array(0), last: false }]);
      const [at, other] = [first % sent.length, second % records.length].sort((a, b) => a - b) as [number, number];
      assert.equal(openedBefore(key, records.toSpliced(at, 1)), at);
      assert.equal(openedBefore(key, records.toSpliced(at, 0, records[at]!)), at + 1);
      if (at !== other) {
        const exchanged = records.with(at, records[other]!).with(other, records[at]!);
        assert.equal(openedBefore(key, exchanged), at);
      }
      const altered = Buffer.from(records[at]!);
      altered[1 + (second % (altered.length - 1))]! ^= 1 << bit;
      assert.equal(openedBefore(key, records.with(at, altered)), at);
    }),
  );
});

test("pieces put together are the message, each fits, and only the final one is the last", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 1, max: 64 }), (bytes, most) => {
      const cut = [...pieces(bytes, most)];
      assert.deepEqual(Buffer.concat(cut.map(({ body }) => body)), Buffer.from(bytes));
      assert.ok(cut.every(({ body }) => body.byteLength <= most));
      assert.deepEqual(
        cut.map(({ last }) => last),
        cut.map((_, index) => index === cut.length - 1),
      );
    }),
  );
});

test("whatever the frames, the agent's stream gives whole messages in order or protocol.order", () => {
  const json = fc.oneof(
    fc.record({ rows: fc.nat(9), bytes: fc.nat(9) }),
    fc.constant({ rows: 0, bytes: 0, batches: 0, position: null, complete: true, executedMs: 0 }),
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    json.map((value) => Buffer.from(JSON.stringify(value))),
  );
  const frame = fc.record({ type, body, last: fc.boolean() });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), (frames) => {
      const stream = createAgentStream(1024);
      let ended = false;
      let schemas = 0;
      try {
        for (const each of frames) {
          const message = stream(each);
          assert.ok(!ended, "nothing is taken after the last frame");
          if (message?.kind === "schema") schemas += 1;
          if (message?.kind === "batch" || message?.kind === "checkpoint") assert.equal(schemas, 1);
          ended = message?.kind === "end" || message?.kind === "error";
        }
      } catch (error) {
        assert.ok(error instanceof SallyportError && error.code === "protocol.order", String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
