import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AgentMessage, createAgentStream } from "./agent-stream.ts";
import { creditBody, FRAME, type Frame, type FrameType, jsonBody, MAX_SCHEMA_BYTES } from "./frames.ts";
import { MAX_FRAME_BODY } from "./records.ts";

const frame = (type: FrameType, body: Uint8Array | string = "", last = true): Frame => ({
  type,
  last,
  body: Buffer.from(body),
});
const json = (type: FrameType, body: unknown): Frame => frame(type, jsonBody(body), false);
const checkpoint = (bytes: number) => json(FRAME.checkpoint, { rows: 1, bytes, position: "p" });
const progress = json(FRAME.progress, { rows: 0, bytes: 0 });
const failed = json(FRAME.error, { code: "sql.failed", message: "It failed.", retryable: false, detail: {} });
const end = (bytes: number) =>
  json(FRAME.end, { rows: 0, bytes, batches: 0, position: null, complete: true, executedMs: 1 });
const [schema, batch] = [frame(FRAME.schema, "schema"), frame(FRAME.batch, "batch")];

function play(frames: readonly Frame[], rowBytes = 1024): (AgentMessage | undefined)[] {
  const stream = createAgentStream(rowBytes);
  return frames.map((one) => stream(one));
}

const kinds = (frames: readonly Frame[]) => play(frames).map((message) => message?.kind);

describe("an agent's stream in order", () => {
  it("schema, batches, checkpoints, end", () => {
    assert.deepEqual(kinds([schema, batch, batch, checkpoint(10), batch, checkpoint(15), end(15)]), [
      "schema",
      "batch",
      "batch",
      "checkpoint",
      "batch",
      "checkpoint",
      "end",
    ]);
  });
  it("pieces become one message, with what may stand between them", () => {
    const parts = [
      frame(FRAME.batch, "ba", false),
      progress,
      frame(FRAME.credit, creditBody(0)),
      frame(FRAME.batch, "tch"),
    ];
    const messages = play([schema, ...parts]);
    assert.deepEqual(
      messages.map((message) => message?.kind),
      ["schema", undefined, "progress", "credit", "batch"],
    );
    assert.deepEqual(messages.at(-1), { kind: "batch", bytes: Buffer.from("batch") });
  });
  it("a result, an end without rows, an error at any time", () => {
    assert.deepEqual(kinds([frame(FRAME.result, "{}"), end(0)]), ["result", "end"]);
    assert.deepEqual(kinds([failed]), ["error"]);
    assert.deepEqual(kinds([schema, frame(FRAME.batch, "ba", false), failed]), ["schema", undefined, "error"]);
  });
});

describe("an agent's stream out of order", () => {
  const open = frame(FRAME.batch, "ba", false);
  const wrong: Readonly<Record<string, readonly Frame[]>> = {
    "a batch before the schema": [batch],
    "a checkpoint before the schema": [checkpoint(0)],
    "a second schema": [schema, schema],
    "a second schema in pieces": [schema, frame(FRAME.schema, "s", false)],
    "a batch within the schema": [frame(FRAME.schema, "s", false), batch],
    "a result within the schema": [frame(FRAME.schema, "s", false), frame(FRAME.result, "{}")],
    "a result beside rows": [schema, frame(FRAME.result, "{}")],
    "rows beside a result": [frame(FRAME.result, "{}"), schema],
    "a second result": [frame(FRAME.result, "{}"), frame(FRAME.result, "{}")],
    "a second result in pieces": [frame(FRAME.result, "{}"), frame(FRAME.result, "{", false)],
    "a result within a batch": [schema, open, frame(FRAME.result, "{}")],
    "a checkpoint within a batch": [schema, open, checkpoint(2)],
    "the end within a batch": [schema, open, end(2)],
    "a checkpoint that counts other bytes": [schema, batch, checkpoint(6)],
    "an end that counts other bytes": [schema, batch, end(4)],
    "a frame after the end": [schema, end(0), progress],
    "a batch after an error": [schema, failed, batch],
    "two ends": [end(0), end(0)],
    "the orchestrator's cancel": [json(FRAME.cancel, { reason: "x" })],
    "the orchestrator's finish": [schema, frame(FRAME.finish, "", false)],
    "a progress that is none": [json(FRAME.progress, { rows: "1" })],
  };
  for (const [name, frames] of Object.entries(wrong)) {
    it(name, () => {
      assert.doesNotThrow(() => play(frames.slice(0, -1)));
      assert.throws(() => play(frames), { code: "protocol.order" });
    });
  }
});

describe("how large a message may be", () => {
  const full = Buffer.alloc(MAX_FRAME_BODY);
  const fill = (type: FrameType, count: number) => Array.from({ length: count }, () => frame(type, full, false));
  const framesOf = (maxBytes: number) => Math.floor(maxBytes / MAX_FRAME_BODY);
  it("a schema and a result: 4 MiB", () => {
    for (const type of [FRAME.schema, FRAME.result]) {
      const most = fill(type, framesOf(MAX_SCHEMA_BYTES));
      assert.doesNotThrow(() => play(most));
      assert.throws(() => play([...most, frame(type, "x")]), { code: "protocol.order" });
    }
  });
  it("a batch: 16 MiB, or one row, and a margin", () => {
    const most = [schema, ...fill(FRAME.batch, framesOf(17 * 2 ** 20))];
    assert.doesNotThrow(() => play(most));
    assert.throws(() => play([...most, frame(FRAME.batch, "x")]), { code: "protocol.order" });
    assert.doesNotThrow(() => play([...most, frame(FRAME.batch, "x")], 20 * 2 ** 20));
  });
  it("what is too large is refused before its last piece", () => {
    assert.throws(() => play([schema, ...fill(FRAME.batch, framesOf(17 * 2 ** 20) + 1)]), { code: "protocol.order" });
  });
});

describe("pieces that cost more than they carry", () => {
  const small = (body: string) => frame(FRAME.batch, body, false);
  it("refuses empty ones without end", () => {
    const stream = createAgentStream(1024);
    stream(schema);
    assert.throws(() => {
      for (let piece = 0; piece < 1000; piece++) stream(small(""));
    }, /too small/);
  });
  it("refuses one byte at a time", () => {
    const stream = createAgentStream(1024);
    stream(schema);
    assert.throws(() => {
      for (let piece = 0; piece < 1000; piece++) stream(small("x"));
    }, /too small/);
  });
  it("takes a message in pieces of 4 KiB", () => {
    const stream = createAgentStream(1024);
    stream(schema);
    for (let piece = 0; piece < 1000; piece++) stream(small("x".repeat(4096)));
    assert.equal(stream(batch)?.kind, "batch");
  });
});
