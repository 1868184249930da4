/** Rows on their way in: credit that never lets more wait than it should, and batches that nobody vouches for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME, type Frame, type FrameType, jsonBody, pieces } from "@sallyport/shared/protocol/frames.ts";
import { FRAME_OVERHEAD } from "@sallyport/shared/protocol/records.ts";
import { drainBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS, type Limits } from "@sallyport/shared/schema/operations.ts";
import { createInput } from "./input.ts";

const COLUMNS: readonly Column[] = [
  { name: "Id", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "" },
  { name: "Raw", type: { kind: "binary" }, nullable: true, source: "" },
];
const SCHEMA = encodeSchema(COLUMNS);

function batchOf(rows: number, bytes = 10): Uint8Array {
  const batch = createBatch(COLUMNS, { cellBytes: 2 ** 26, rowBytes: 2 ** 26, batchBytes: 2 ** 24 });
  for (let row = 0; row < rows; row++) {
    batch.columns[0]!.appendInt(row);
    batch.columns[1]!.appendBytes(Buffer.alloc(bytes, row), 0, bytes);
    batch.rowDone();
  }
  return drainBatch(batch)[0]!.message;
}

function open(limits: Partial<Limits> = {}) {
  const controller = new AbortController();
  const credits: number[] = [];
  const input = createInput({
    limits: { ...DEFAULT_LIMITS, ...limits },
    credit: (bytes) => credits.push(bytes),
    signal: controller.signal,
  });
  const say = (type: FrameType, bytes: Uint8Array): void => {
    for (const { body, last } of pieces(bytes)) {
      const frame: Frame = { type, last, body: Buffer.from(body) };
      input.frame(frame, body.byteLength + FRAME_OVERHEAD);
    }
  };
  const total = (): number => credits.reduce((sum, one) => sum + one, 0);
  return { input, controller, say, total };
}
const isCode = (code: ErrorCode) => (error: unknown) => error instanceof SallyportError && error.code === code;

test("schema, batches and end; nothing may come before the first credit", async () => {
  const { input, say, total } = open();
  assert.throws(() => say(FRAME.inputSchema, SCHEMA), isCode("protocol.credit"));
  const columns = input.columns();
  assert.equal(total(), 4 * 2 ** 20);
  say(FRAME.inputSchema, SCHEMA);
  assert.deepEqual(
    (await columns).map(({ name }) => name),
    ["Id", "Raw"],
  );
  say(FRAME.inputBatch, batchOf(3));
  say(FRAME.inputEnd, jsonBody({ rows: 3, batches: 1 }));
  assert.equal((await input.next())?.rows, 3);
  assert.equal(await input.next(), undefined);
  assert.equal(input.rows, 3);
});

test("while nobody takes a batch, what comes after it gets no credit; a large one is whole all the same", async () => {
  const { input, say, total } = open();
  const columns = input.columns();
  say(FRAME.inputSchema, SCHEMA);
  await columns;
  const large = batchOf(1, 12 * 2 ** 20);
  const noise = Buffer.concat([large]);
  assert.ok(noise.length < 2 ** 20, "zeros compress, so it costs little");
  say(FRAME.inputBatch, batchOf(1, 100));
  const granted = total();
  for (let n = 0; n < 4; n++) say(FRAME.inputBatch, batchOf(2000, 100));
  assert.equal(total(), granted);
  for (let n = 0; n < 5; n++) assert.ok(await input.next());
  await turn();
});

test("more than its credit closes the session", async () => {
  const { input, say } = open();
  const columns = input.columns();
  say(FRAME.inputSchema, SCHEMA);
  await columns;
  say(FRAME.inputBatch, batchOf(1));
  const stored = Buffer.alloc(200_000);
  assert.throws(() => {
    for (let n = 0; n < 40; n++) say(FRAME.inputBatch, stored);
  }, isCode("protocol.credit"));
});

const HOSTILE: readonly (readonly [what: string, message: () => Uint8Array, code: ErrorCode])[] = [
  ["a changed length", () => changed(batchOf(4), 4), "protocol.batch"],
  ["random bytes", () => Buffer.alloc(500, 0xa5), "protocol.batch"],
  ["nothing", () => Buffer.alloc(0), "protocol.batch"],
  ["a batch of other columns", () => otherBatch(), "protocol.batch"],
];
for (const [what, message, code] of HOSTILE) {
  test(`${what} in a batch is ${code}, before any reader sees it`, async () => {
    const { input, say } = open();
    const columns = input.columns();
    say(FRAME.inputSchema, SCHEMA);
    await columns;
    say(FRAME.inputBatch, message());
    await assert.rejects(input.next(), isCode(code));
  });
}

test("a small message that would become more than 16 MiB is refused without making it", async () => {
  const { input, say } = open({ rowBytes: 2 ** 20 });
  const columns = input.columns();
  say(FRAME.inputSchema, SCHEMA);
  await columns;
  const bomb = batchOf(1, 24 * 2 ** 20);
  assert.ok(bomb.length < 100_000);
  say(FRAME.inputBatch, bomb);
  await assert.rejects(input.next(), isCode("protocol.batch"));
});

test("more rows or bytes than allowed, and an end that counts other rows", async () => {
  for (const [limits, rows, code] of [
    [{ rows: 5 }, 6, "limit.rows"],
    [{ bytes: 100 }, 6, "limit.bytes"],
    [{}, 6, "protocol.order"],
  ] as const) {
    const { input, say } = open(limits);
    const columns = input.columns();
    say(FRAME.inputSchema, SCHEMA);
    await columns;
    say(FRAME.inputBatch, batchOf(rows));
    say(FRAME.inputEnd, jsonBody({ rows: rows + 1, batches: 1 }));
    await assert.rejects(async () => {
      while ((await input.next()) !== undefined);
    }, isCode(code));
  }
});

test("whoever waits for rows hears why the session stopped", async () => {
  const { input, controller } = open();
  const waiting = input.columns();
  controller.abort(new SallyportError("request.cancelled", "enough"));
  await assert.rejects(waiting, isCode("request.cancelled"));
});

function changed(message: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(message);
  copy[at] = copy[at]! ^ 0x40;
  return copy;
}

function otherBatch(): Uint8Array {
  const batch = createBatch([COLUMNS[0]!], DEFAULT_LIMITS);
  batch.columns[0]!.appendInt(1);
  batch.rowDone();
  return drainBatch(batch)[0]!.message;
}
