import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "./errors.ts";
import { FRAME, type Frame, type FrameType, jsonBody } from "./frames.ts";
import { createInputStream } from "./input-stream.ts";

const ROW_BYTES = 32 * 2 ** 20;
const frame = (type: FrameType, body: Uint8Array, last = true): Frame => ({ type, last, body: Buffer.from(body) });
const schema = (bytes = 8): Frame => frame(FRAME.inputSchema, Buffer.alloc(bytes));
const batch = (bytes = 8, last = true): Frame => frame(FRAME.inputBatch, Buffer.alloc(bytes), last);
const end = (rows: number, batches: number): Frame => frame(FRAME.inputEnd, jsonBody({ rows, batches }));

test("schema, batches in pieces and one end", () => {
  const read = createInputStream(ROW_BYTES);
  assert.equal(read(schema())?.kind, "schema");
  assert.equal(read(batch(10, false)), undefined);
  const whole = read(batch(5));
  assert.deepEqual([whole?.kind, whole?.kind === "batch" && whole.bytes.length], ["batch", 15]);
  assert.deepEqual(read(end(3, 1)), { kind: "end", body: { rows: 3, batches: 1 } });
});

const REFUSED: readonly (readonly [what: string, frames: readonly Frame[]])[] = [
  ["a batch before the schema", [batch()]],
  ["an end before the schema", [end(0, 0)]],
  ["a second schema", [schema(), schema()]],
  ["an end inside a batch", [schema(), batch(8, false), end(0, 0)]],
  ["pieces of two messages", [frame(FRAME.inputSchema, Buffer.alloc(8), false), batch()]],
  ["an end that counts other batches", [schema(), batch(), end(1, 2)]],
  ["an end with no counts", [schema(), frame(FRAME.inputEnd, Buffer.from("{}"))]],
  ["a frame after the end", [schema(), end(0, 0), batch()]],
  ["a second end", [schema(), end(0, 0), end(0, 0)]],
  ["a frame of the agent's", [schema(), frame(FRAME.checkpoint, jsonBody({}))]],
  [
    "a schema of more than 4 MiB",
    Array.from({ length: 17 }, () => frame(FRAME.inputSchema, Buffer.alloc(262_144), false)),
  ],
  ["a batch larger than any row", [schema(), ...Array.from({ length: 133 }, () => batch(262_144, false))]],
  ["pieces that are too small", [schema(), ...Array.from({ length: 80 }, () => batch(1, false))]],
];
for (const [what, frames] of REFUSED) {
  test(`${what} is protocol.order`, () => {
    const read = createInputStream(ROW_BYTES);
    assert.throws(
      () => frames.map(read),
      (error) => error instanceof SallyportError && error.code === "protocol.order",
    );
  });
}
