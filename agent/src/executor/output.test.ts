import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME, type FrameType } from "@sallyport/shared/protocol/frames.ts";
import { decodeSchema, PLAN_KEY } from "@sallyport/shared/rows/arrow.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS, type Limits } from "@sallyport/shared/schema/operations.ts";
import { SENDING_STEP_BYTES } from "../pipe/messages.ts";
import { createOutput } from "./output.ts";
import type { SealedStream } from "./stream.ts";

const COLUMNS: Column[] = [
  { name: "Id", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "int" },
];
const PLAN = { to: null, key: ["Id"], isolation: "readCommitted", consistency: "fuzzy" } as const;

function open(limits: Partial<Limits> = {}, finishing = false) {
  const sent: { type: FrameType; bytes?: Uint8Array; body?: unknown }[] = [];
  const stream: SealedStream = {
    totals: { rows: 0, bytes: 0, batches: 0 },
    signal: new AbortController().signal,
    finishing,
    async sendPieces(type, bytes) {
      sent.push({ type, bytes });
      if (type === FRAME.batch) stream.totals.bytes += bytes.byteLength;
    },
    async sendJson(type, body) {
      sent.push({ type, body });
    },
    message: () => {},
    onInput: () => {},
    credit: () => {},
    finish: () => {},
    stop: () => {},
    end: () => {},
  };
  const announced: { bytes: number; before: number }[] = [];
  const onSending = async (bytes: number): Promise<void> => void announced.push({ bytes, before: stream.totals.bytes });
  const output = createOutput(stream, { ...DEFAULT_LIMITS, ...limits }, 4 << 20, onSending);
  return { sent, stream, announced, output };
}

test("schema with its plan, batch, checkpoint: counted as they are sent", async () => {
  const { output, sent, stream } = open();
  const batch = await output.schema(COLUMNS, { ...PLAN, key: ["Id"] });
  for (const value of [1, 2, 3]) {
    batch.columns[0]!.appendInt(value);
    batch.rowDone();
  }
  await output.flush();
  assert.equal(batch.length, 0);
  assert.equal(await output.checkpoint("p3"), "continue");
  assert.deepEqual(
    sent.map(({ type }) => type),
    [FRAME.schema, FRAME.batch, FRAME.checkpoint],
  );
  assert.deepEqual(JSON.parse(decodeSchema(sent[0]!.bytes!).metadata[PLAN_KEY]!), PLAN);
  assert.deepEqual(sent[2]!.body, { rows: 3, bytes: stream.totals.bytes, position: "p3" });
  assert.equal(stream.totals.batches, 1);
});

test("a checkpoint answers stop once the other side wants no more, and never splits a batch", async () => {
  const { output } = open({}, true);
  const batch = await output.schema(COLUMNS, { ...PLAN, key: ["Id"] });
  assert.equal(await output.checkpoint("p0"), "stop");
  batch.columns[0]!.appendInt(1);
  batch.rowDone();
  await assert.rejects(() => output.checkpoint("p1"), TypeError);
});

test("a result is one JSON value in pieces, counted as bytes, and bounded", async () => {
  const { output, sent } = open();
  await output.result({ tables: [] });
  assert.deepEqual(
    sent.map(({ type, bytes }) => [type, Buffer.from(bytes!).toString()]),
    [[FRAME.result, '{"tables":[]}']],
  );
  const isBytes = (error: unknown) => error instanceof SallyportError && error.code === "limit.bytes";
  await assert.rejects(() => output.result("x".repeat(5 * 2 ** 20)), isBytes);
  await assert.rejects(() => open({ bytes: 10 }).output.result({ tables: [] }), isBytes);
});

test("rows beyond the limit are never sent", async () => {
  const { output, sent } = open({ rows: 1 });
  const batch = await output.schema(COLUMNS, { ...PLAN, key: ["Id"] });
  for (const value of [1, 2]) {
    batch.columns[0]!.appendInt(value);
    batch.rowDone();
  }
  await assert.rejects(
    () => output.flush(),
    (error) => error instanceof SallyportError && error.code === "limit.rows",
  );
  assert.equal(sent.length, 1);
});

test("before it sends more than it said, it says so", async () => {
  const { output, stream, announced } = open();
  const batch = await output.schema(COLUMNS, { ...PLAN, key: ["Id"] });
  const one = async (): Promise<void> => {
    batch.columns[0]!.appendInt(1);
    batch.rowDone();
    await output.flush();
  };
  await one();
  const messageBytes = stream.totals.bytes;
  stream.totals.bytes = SENDING_STEP_BYTES - messageBytes;
  await one();
  assert.deepEqual(announced, []);
  await one();
  await one();
  assert.deepEqual(announced, [{ bytes: 2 * SENDING_STEP_BYTES + messageBytes, before: SENDING_STEP_BYTES }]);
});
