/**
 * Records `input.json`: rows that an orchestrator sends to be written, good and hostile, each with what an agent makes of
 * them. Frames are `[type, last, body as base64url]`, opened already. Run it only when the format itself changes.
 */
import { writeFileSync } from "node:fs";
import { FRAME, type FrameType, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import { drainBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";

const COLUMNS: readonly Column[] = [
  { name: "Id", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "" },
  { name: "Text", type: { kind: "utf8" }, nullable: true, source: "" },
];
type Recorded = readonly [type: FrameType, last: boolean, body: string];
const frame = (type: FrameType, body: Uint8Array, last = true): Recorded => [
  type,
  last,
  Buffer.from(body).toString("base64url"),
];

function batchOf(rows: number, text = "ä"): Buffer {
  const batch = createBatch(COLUMNS, { ...DEFAULT_LIMITS, cellBytes: 2 ** 26, rowBytes: 2 ** 26 });
  for (let row = 0; row < rows; row++) {
    batch.columns[0]!.appendInt(row);
    batch.columns[1]!.appendString(text);
    batch.rowDone();
  }
  return Buffer.from(drainBatch(batch)[0]!.message);
}
const changed = (bytes: Buffer, at: number, to: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = to;
  return copy;
};

const schema = frame(FRAME.inputSchema, encodeSchema(COLUMNS));
const good = batchOf(3);
const batch = frame(FRAME.inputBatch, good);
const end = (rows: number, batches: number): Recorded => frame(FRAME.inputEnd, jsonBody({ rows, batches }));
const half = good.length >> 1;

const VECTORS: readonly { name: string; expect: string; frames: readonly Recorded[] }[] = [
  { name: "one batch", expect: "3 rows", frames: [schema, batch, end(3, 1)] },
  { name: "no batch", expect: "0 rows", frames: [schema, end(0, 0)] },
  {
    name: "a batch in two pieces",
    expect: "3 rows",
    frames: [
      schema,
      frame(FRAME.inputBatch, good.subarray(0, half), false),
      frame(FRAME.inputBatch, good.subarray(half)),
      end(3, 1),
    ],
  },
  { name: "a batch before the schema", expect: "protocol.order", frames: [batch] },
  { name: "an end before the schema", expect: "protocol.order", frames: [end(0, 0)] },
  { name: "two schemas", expect: "protocol.order", frames: [schema, schema] },
  {
    name: "an end inside a batch",
    expect: "protocol.order",
    frames: [schema, frame(FRAME.inputBatch, good, false), end(3, 1)],
  },
  { name: "an end that counts other batches", expect: "protocol.order", frames: [schema, batch, end(3, 2)] },
  { name: "an end that counts other rows", expect: "protocol.order", frames: [schema, batch, end(4, 1)] },
  { name: "a batch after the end", expect: "protocol.order", frames: [schema, end(0, 0), batch] },
  {
    name: "an end that is no JSON",
    expect: "protocol.order",
    frames: [schema, frame(FRAME.inputEnd, Buffer.from("[]"))],
  },
  {
    name: "a schema that is none",
    expect: "protocol.batch",
    frames: [frame(FRAME.inputSchema, Buffer.alloc(64)), end(0, 0)],
  },
  {
    name: "a batch that is none",
    expect: "protocol.batch",
    frames: [schema, frame(FRAME.inputBatch, Buffer.alloc(64)), end(0, 1)],
  },
  {
    name: "a batch cut short",
    expect: "protocol.batch",
    frames: [schema, frame(FRAME.inputBatch, good.subarray(0, half)), end(3, 1)],
  },
  {
    name: "a length that lies",
    expect: "protocol.batch",
    frames: [schema, frame(FRAME.inputBatch, changed(good, 4, 0x7f)), end(3, 1)],
  },
  {
    name: "text that is not UTF-8",
    expect: "protocol.batch",
    frames: [schema, frame(FRAME.inputBatch, changed(good, good.lastIndexOf(0xc3), 0xff)), end(3, 1)],
  },
  {
    name: "a bomb",
    expect: "protocol.batch",
    frames: [schema, frame(FRAME.inputBatch, batchOf(1, "0".repeat(2 ** 26 - 8))), end(1, 1)],
  },
];

writeFileSync(new URL("./input.json", import.meta.url), `${JSON.stringify({ vectors: VECTORS }, null, 1)}\n`);
