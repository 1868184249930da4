import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SallyportError } from "../protocol/errors.ts";
import { encodeBatch, encodeSchema } from "./arrow.ts";
import { checkBatch } from "./check.ts";
import { decodeSchema } from "./schema.ts";
import { jsonRows } from "./test-json-rows.ts";
import { SAMPLE_COLUMNS, SAMPLE_LIMITS, sampleBatch, sampleRows } from "./test-samples.ts";

const NAMES = SAMPLE_COLUMNS.map(({ name }) => name);
const SCHEMA = encodeSchema(SAMPLE_COLUMNS, { "sallyport.plan": "{}" });
const MESSAGE = encodeBatch(sampleBatch(fc.sample(sampleRows, { numRuns: 1, seed: 11 })[0]!));
/** Framing and header; the rest is the body. */
const headBytes = (message: Uint8Array): number =>
  8 + new DataView(message.buffer, message.byteOffset).getInt32(4, true);

/** Either it fails as what it is, or all of it can be read; nothing else may come out. */
function survives(read: () => void): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof SallyportError && error.code === "protocol.batch", String(error));
  }
}

const readBatch = (bytes: Uint8Array): void =>
  survives(() => {
    const { columns, decompressedBytes } = checkBatch(bytes, SAMPLE_COLUMNS, SAMPLE_LIMITS);
    assert.ok(decompressedBytes <= 16 << 20);
    for (const row of jsonRows(NAMES, columns)) JSON.stringify(row);
  });
const readSchema = (bytes: Uint8Array): void => survives(() => JSON.stringify(decodeSchema(bytes)));

/** The numbers that break readers, as well as random ones. */
const int32 = fc.oneof(
  fc.constantFrom(0, 1, -1, 4, 8, 0x7fff_ffff, -0x8000_0000, 0x0100_0000, -8),
  fc.integer(),
  fc.integer({ min: -256, max: 256 }),
);

const changed = (message: Uint8Array, before: number) =>
  fc
    .array(fc.record({ at: fc.nat(before - 4), value: int32, width: fc.constantFrom(1, 2, 4) }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((changes) => {
      const copy = Uint8Array.from(message);
      const view = new DataView(copy.buffer);
      for (const { at, value, width } of changes) {
        if (width === 1) view.setInt8(at, value);
        else if (width === 2) view.setInt16(at, value, true);
        else view.setInt32(at, value, true);
      }
      return copy;
    });

describe("whatever is changed in a message, it is refused or read", () => {
  it("one byte or number after another in a batch's head", () => {
    const copy = Uint8Array.from(MESSAGE);
    for (let at = 0; at < headBytes(MESSAGE); at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        copy[at] = value;
        readBatch(copy);
      }
      copy[at] = MESSAGE[at]!;
    }
  });
  it("several numbers in a batch's head", () => {
    fc.assert(fc.property(changed(MESSAGE, headBytes(MESSAGE)), readBatch), { numRuns: 3000 });
  });
  it("several numbers anywhere in a batch", () => {
    fc.assert(fc.property(changed(MESSAGE, MESSAGE.length), readBatch), { numRuns: 1500 });
  });
  it("several numbers in a schema", () => {
    fc.assert(fc.property(changed(SCHEMA, SCHEMA.length), readSchema), { numRuns: 3000 });
  });
  it("one byte after another in a schema", () => {
    const copy = Uint8Array.from(SCHEMA);
    for (let at = 0; at < SCHEMA.length; at++) {
      copy[at] = SCHEMA[at]! ^ 0x81;
      readSchema(copy);
      copy[at] = SCHEMA[at]!;
    }
  });
  it("its length", () => {
    for (let length = 0; length < MESSAGE.length; length += 3) {
      assert.throws(() => checkBatch(MESSAGE.subarray(0, length), SAMPLE_COLUMNS, SAMPLE_LIMITS), {
        code: "protocol.batch",
      });
    }
    for (let length = 0; length < SCHEMA.length; length++) {
      assert.throws(() => decodeSchema(SCHEMA.subarray(0, length)), { code: "protocol.batch" });
    }
  });
  it("all of it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        readBatch(bytes);
        readSchema(bytes);
      }),
    );
  });
});
