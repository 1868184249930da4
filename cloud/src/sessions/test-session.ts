/** An agent that says anything, for the tests of this folder: real frames and rows, a fake wire, the clock in the test's hand. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  createOpener,
  createSealer,
  FRAME,
  type FrameType,
  jsonBody,
  pieces,
  readCredit,
} from "@sallyport/shared/protocol/frames.ts";
import { drainBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS, type Limits, type Plan } from "@sallyport/shared/schema/operations.ts";
import { type ReceiveOptions, receive } from "./receive.ts";
import type { Consumer } from "./session.ts";

export const COLUMNS: readonly Column[] = [
  { name: "Id", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "int" },
  { name: "Raw", type: { kind: "binary" }, nullable: false, source: "varbinary(max)" },
];
const plan: Plan = { to: null, key: ["Id"], isolation: "readCommitted", consistency: "exact" };
export const SCHEMA: Uint8Array = encodeSchema(COLUMNS, { "sallyport.plan": JSON.stringify(plan) });
const POLICY = "p".repeat(43);
export const WINDOW: number = 4 * 2 ** 20;

/** One record batch message; random bytes do not compress, so its size is known. */
export const batchOf = (rows: number, rawBytes = 10): Uint8Array => batchWith(rows, () => randomBytes(rawBytes));

/** One row that compresses to almost nothing. */
export const zerosOf = (bytes: number): Uint8Array => batchWith(1, () => Buffer.alloc(bytes));

function batchWith(rows: number, raw: () => Buffer): Uint8Array {
  const batch = createBatch(COLUMNS, { ...DEFAULT_LIMITS, batchBytes: 2 ** 24 });
  for (let row = 0; row < rows; row++) {
    batch.columns[0]!.appendInt(row);
    const bytes = raw();
    batch.columns[1]!.appendBytes(bytes, 0, bytes.byteLength);
    batch.rowDone();
  }
  const [message] = drainBatch(batch);
  assert.ok(message);
  return message.message;
}

/** An agent that says anything, a consumer that notes everything, and the clock in the test's hand. */
export function session(
  t: TestContext,
  consume: Partial<Consumer> = {},
  limits: Partial<Limits> = {},
  more: Partial<ReceiveOptions> = {},
) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const clock = { nowMs: 0 };
  const { mock: clockRead } = t.mock.method(performance, "now", () => clock.nowMs);
  const keys = { toAgent: randomBytes(32), toOrchestrator: randomBytes(32) };
  const [seal, open] = [createSealer(keys.toOrchestrator), createOpener(keys.toAgent)];
  const sent: ReturnType<typeof open>[] = [];
  const closes: number[] = [];
  const consumed: string[] = [];
  const controller = new AbortController();
  const receiving = receive(
    { send: (record) => void sent.push(open(record)), close: (code) => void closes.push(code) },
    {
      schema: async ({ columns, plan: fixed, policy, agent }) => {
        consumed.push("schema");
        assert.deepEqual([columns.length, fixed, policy, agent], [2, plan, POLICY, "agent"]);
        await consume.schema?.({} as never);
      },
      batch: async (batch) => {
        consumed.push(`batch ${batch.rows}`);
        await consume.batch?.(batch);
      },
      checkpoint: async (at) => {
        consumed.push(`checkpoint ${at.rows} ${at.position}`);
        return (await consume.checkpoint?.(at)) ?? "continue";
      },
      ...(consume.result === undefined ? {} : { result: consume.result }),
    },
    {
      keys,
      limits: { ...DEFAULT_LIMITS, ...limits },
      windowBytes: WINDOW,
      agent: "agent",
      policy: POLICY,
      maskKey: null,
      unsure: "never",
      ...more,
    },
    controller.signal,
  );
  const totals = { rows: 0, bytes: 0, batches: 0 };
  const say = (type: FrameType, body: Uint8Array) => {
    if (type === FRAME.schema || type === FRAME.batch || type === FRAME.result)
      for (const { body: part, last } of pieces(body)) receiving.message(seal(type, part, last));
    else receiving.message(seal(type, body));
  };
  const sentOf = (type: FrameType) => sent.filter((frame) => frame.type === type);
  return {
    receiving,
    seal,
    /** Times that the clock was asked: by each frame and each heartbeat. */
    clockReads: () => clockRead.callCount(),
    controller,
    consumed,
    closes,
    say,
    sentOf,
    credit: () => sentOf(FRAME.credit).reduce((sum, frame) => sum + readCredit(frame), 0),
    schema: () => say(FRAME.schema, SCHEMA),
    batch: (message: Uint8Array, rows: number) => {
      Object.assign(totals, {
        rows: totals.rows + rows,
        bytes: totals.bytes + message.byteLength,
        batches: totals.batches + 1,
      });
      say(FRAME.batch, message);
    },
    checkpoint: (position: string, over = {}) =>
      say(FRAME.checkpoint, jsonBody({ rows: totals.rows, bytes: totals.bytes, position, ...over })),
    end: (over = {}) => say(FRAME.end, jsonBody({ ...totals, position: null, complete: true, executedMs: 5, ...over })),
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        const step = Math.min(left, 1000);
        clock.nowMs += step;
        t.mock.timers.tick(step);
        await turn();
      }
    },
  };
}
