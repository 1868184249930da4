import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import {
  cancelBody,
  checkpointBody,
  costsCredit,
  createOpener,
  createSealer,
  creditBody,
  endBody,
  errorBody,
  FRAME,
  type Frame,
  type FrameType,
  jsonBody,
  MAX_FREE_BODY,
  pieces,
  readBody,
  readCredit,
} from "./frames.ts";
import { FRAME_OVERHEAD, KIND, MAX_FRAME_BODY } from "./records.ts";

const key = randomBytes(32);
const bytes = (length: number) => Buffer.alloc(length, 7);

/** Seals any plaintext as frame number `counter`: what `createSealer` would never make. */
function forge(plaintext: Uint8Array, counter = 0n, kind: number = KIND.frame): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeBigUInt64BE(counter, 4);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Uint8Array.of(kind));
  return Buffer.concat([Uint8Array.of(KIND.frame), cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

describe("a sealed frame", () => {
  it("has exactly 19 bytes more than its body, and hides it", () => {
    const body = randomBytes(100);
    const record = createSealer(key)(FRAME.batch, body);
    assert.equal(record.byteLength, 100 + FRAME_OVERHEAD);
    assert.equal(record[0], KIND.frame);
    assert.equal(record.indexOf(body.subarray(0, 8)), -1);
  });
  it("is numbered: the same frame twice is sealed differently", () => {
    const seal = createSealer(key);
    assert.notDeepEqual(seal(FRAME.credit, creditBody(1)), seal(FRAME.credit, creditBody(1)));
  });
  it("pieces are the last unless they are said not to be; other types carry no flag", () => {
    const [seal, open] = [createSealer(key), createOpener(key)];
    assert.equal(open(seal(FRAME.batch, bytes(1))).last, true);
    assert.equal(open(seal(FRAME.batch, bytes(1), false)).last, false);
    assert.equal(open(seal(FRAME.credit, creditBody(0))).last, false);
  });
  it("no larger body is sealed than a frame may hold", () => {
    createSealer(key)(FRAME.batch, bytes(MAX_FRAME_BODY));
    assert.throws(() => createSealer(key)(FRAME.batch, bytes(MAX_FRAME_BODY + 1)), RangeError);
  });
});

describe("what does not open", () => {
  const sealed = () => createSealer(key)(FRAME.batch, bytes(50));
  it("a frame with any one bit changed", () => {
    const record = sealed();
    for (let bit = 8; bit < record.byteLength * 8; bit++) {
      const altered = Buffer.from(record);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => createOpener(key)(altered), { code: "protocol.integrity" }, `bit ${bit}`);
    }
  });
  it("a frame cut short, or under another key", () => {
    assert.throws(() => createOpener(key)(sealed().subarray(0, -1)), { code: "protocol.integrity" });
    assert.throws(() => createOpener(randomBytes(32))(sealed()), { code: "protocol.integrity" });
  });
  it("a frame sealed for another kind of record", () => {
    assert.throws(() => createOpener(key)(forge(Uint8Array.of(FRAME.credit, 0), 0n, KIND.request)), {
      code: "protocol.integrity",
    });
  });
  it("a message that is too short, too long, or of another kind", () => {
    for (const message of [
      new Uint8Array(0),
      Uint8Array.of(KIND.frame),
      Buffer.concat([Uint8Array.of(KIND.frame), bytes(FRAME_OVERHEAD - 2)]),
      Buffer.concat([Uint8Array.of(KIND.frame), bytes(MAX_FRAME_BODY + FRAME_OVERHEAD)]),
      Buffer.concat([Uint8Array.of(KIND.request), bytes(100)]),
    ]) {
      assert.throws(() => createOpener(key)(message), { code: "protocol.order" });
    }
  });
});

describe("what opens and is refused all the same", () => {
  const refuses = (type: number, flags: number, body: Uint8Array) =>
    assert.throws(() => createOpener(key)(forge(Buffer.concat([Uint8Array.of(type, flags), body]))), {
      code: "protocol.order",
    });
  it("unknown types", () => {
    const known: readonly number[] = Object.values(FRAME);
    for (let type = 0; type < 256; type++) if (!known.includes(type)) refuses(type, 0, bytes(4));
  });
  it("unknown flags, and the last-piece flag where there are no pieces", () => {
    for (const flags of [2, 3, 0x80, 0xff]) refuses(FRAME.batch, flags, bytes(4));
    for (const type of [FRAME.checkpoint, FRAME.progress, FRAME.credit, FRAME.error, FRAME.end, FRAME.cancel])
      refuses(type, 1, bytes(4));
  });
  it("more than its type may hold", () => {
    refuses(FRAME.progress, 0, bytes(MAX_FREE_BODY + 1));
    refuses(FRAME.error, 0, bytes(MAX_FREE_BODY + 1));
    refuses(FRAME.checkpoint, 0, bytes(8 * 1024 + 1));
  });
});

describe("pieces", () => {
  it("nothing is one last piece; an exact multiple has no empty one after it", () => {
    const shape = (length: number, most: number) =>
      [...pieces(bytes(length), most)].map(({ body, last }) => [body.byteLength, last]);
    assert.deepEqual(shape(0, 4), [[0, true]]);
    assert.deepEqual(shape(4, 4), [[4, true]]);
    assert.deepEqual(shape(8, 4), [
      [4, false],
      [4, true],
    ]);
    assert.deepEqual(shape(9, 4), [
      [4, false],
      [4, false],
      [1, true],
    ]);
  });
});

describe("bodies", () => {
  const frame = (body: Buffer, type: FrameType = FRAME.error): Frame => ({ type, last: false, body });
  const good = { code: "sql.failed", message: "It failed.", retryable: false, detail: { number: 8134, of: ["a"] } };
  const total = { rows: 0, bytes: 0, batches: 0, position: null, complete: true, executedMs: 1 };
  it("credit is four bytes, and any u32", () => {
    for (const credit of [0, 1, 2 ** 26, 2 ** 32 - 1])
      assert.equal(readCredit(frame(creditBody(credit), FRAME.credit)), credit);
    for (const length of [0, 3, 5])
      assert.throws(() => readCredit(frame(bytes(length), FRAME.credit)), { code: "protocol.order" });
  });
  it("an agent's error is a code of the table, 500 characters, no control characters, few small facts", () => {
    assert.deepEqual(readBody(frame(jsonBody(good)), errorBody), good);
    for (const bad of [
      { ...good, code: "sql.whatever" },
      { ...good, code: "toString" },
      { ...good, message: "x".repeat(501) },
      { ...good, message: "one\ntwo" },
      { ...good, message: "escape \u001b[2J" },
      { ...good, retryable: "no" },
      { ...good, detail: { deep: { er: 1 } } },
      { ...good, detail: { long: "x".repeat(513) } },
      { ...good, detail: { many: Array.from({ length: 65 }, () => "x") } },
      { ...good, detail: { text: "escape \u001b[2J" } },
      { ...good, detail: { texts: ["fine", "\u009b2J"] } },
      { ...good, detail: { "\u001b[2J": 1 } },
      { ...good, detail: { "two words": 1 } },
      { ...good, detail: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`fact${index}`, index])) },
    ]) {
      assert.throws(() => readBody(frame(jsonBody(bad)), errorBody), { code: "protocol.order" });
    }
  });
  it("counts are whole and not negative, positions not empty and at most 4 KiB", () => {
    assert.throws(() => readBody(frame(jsonBody({ rows: -1, bytes: 0 })), checkpointBody), { code: "protocol.order" });
    assert.throws(() => readBody(frame(jsonBody({ rows: 0.5, bytes: 0 })), checkpointBody), { code: "protocol.order" });
    for (const position of ["", "x".repeat(4097)]) {
      assert.throws(() => readBody(frame(jsonBody({ rows: 0, bytes: 0, position })), checkpointBody), {
        code: "protocol.order",
      });
      assert.throws(() => readBody(frame(jsonBody({ ...total, position })), endBody), { code: "protocol.order" });
    }
  });
  it("what is no JSON is out of order, and its bytes are not quoted", () => {
    for (const text of ["", "{", "null", "[]", '"secret"']) {
      assert.throws(
        () => readBody(frame(Buffer.from(text)), cancelBody),
        (error: Error & { code: string }) => error.code === "protocol.order" && !error.message.includes("secret"),
      );
    }
  });
});

it("only schema, batch, checkpoint, result and input cost credit", () => {
  const costly = Object.entries(FRAME).filter(([, type]) => costsCredit(type));
  assert.deepEqual(
    costly.map(([name]) => name),
    ["schema", "batch", "checkpoint", "result", "inputSchema", "inputBatch", "inputEnd"],
  );
});
