import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stitchParquet } from "./parquet-stitch.ts";
import { readThrift, THRIFT, type ThriftStruct, type ThriftValue, writeThrift } from "./thrift.ts";

const integer = (bits: number) => fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n });
const binary = fc.uint8Array({ maxLength: 20 });

const { struct } = fc.letrec<{ typed: { type: number; value: ThriftValue }; struct: ThriftStruct }>((tie) => ({
  typed: fc.oneof(
    { depthSize: "small" },
    fc.boolean().map((value) => ({ type: value ? THRIFT.true : THRIFT.false, value })),
    integer(16).map((value) => ({ type: THRIFT.i16, value })),
    integer(32).map((value) => ({ type: THRIFT.i32, value })),
    integer(64).map((value) => ({ type: THRIFT.i64, value })),
    binary.map((value) => ({ type: THRIFT.binary, value })),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((value) => ({ type: THRIFT.double, value })),
    fc.array(integer(64), { maxLength: 40 }).map((items) => ({ type: THRIFT.list, value: { of: THRIFT.i64, items } })),
    fc.array(fc.boolean(), { maxLength: 5 }).map((items) => ({ type: THRIFT.list, value: { of: THRIFT.true, items } })),
    fc
      .array(tie("struct"), { maxLength: 3 })
      .map((items) => ({ type: THRIFT.list, value: { of: THRIFT.struct, items } })),
    tie("struct").map((value) => ({ type: THRIFT.struct, value })),
  ),
  struct: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 200 }), tie("typed")), { maxLength: 6, selector: ([id]) => id })
    .map((fields) => fields.sort(([a], [b]) => a - b).map(([id, { type, value }]) => ({ id, type, value }))),
}));

test("what is written is read back", () => {
  fc.assert(fc.property(struct, (value) => assert.deepEqual(readThrift(writeThrift(value)), value)));
});

test("what ends early or is garbage is a RangeError", () => {
  const whole = writeThrift([{ id: 1, type: THRIFT.binary, value: new Uint8Array(300) }]);
  for (const length of [0, 1, 2, 100, whole.length - 1]) {
    assert.throws(() => readThrift(whole.subarray(0, length)), RangeError);
  }
  fc.assert(
    fc.property(binary, (bytes) => {
      try {
        readThrift(bytes);
      } catch (thrown) {
        assert.ok(thrown instanceof RangeError);
      }
    }),
  );
  assert.throws(() => stitchParquet().add(Buffer.from("no parquet file")), RangeError);
  assert.throws(() => stitchParquet().end([]), RangeError);
});
