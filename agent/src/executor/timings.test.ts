import assert from "node:assert/strict";
import { test } from "node:test";
import { timings } from "@sallyport/shared/protocol/timings.ts";
import type { Output } from "../connectors/connector.ts";
import { createStopwatch, timed } from "./timings.ts";

function begin() {
  const clock = { nowMs: 5_000 };
  return { clock, stopwatch: createStopwatch({ monotonicMs: () => clock.nowMs }) };
}

test("a stopwatch counts from its start; of what happens again the first time counts, but for the last row", () => {
  const { clock, stopwatch } = begin();
  for (const atMs of [10, 20]) {
    clock.nowMs = 5_000 + atMs;
    stopwatch.mark("allowedMs");
    stopwatch.mark("firstRowMs");
    stopwatch.mark("lastRowMs");
  }
  clock.nowMs = 5_030.123;
  const read = stopwatch.read();
  assert.deepEqual(read, { allowedMs: 10, firstRowMs: 10, lastRowMs: 20, endedMs: 30.12 });
  assert.deepEqual(timings.parse(read), read);
});

test("rows are marked when some have left, not when there was nothing to send", async () => {
  const { clock, stopwatch } = begin();
  let rows = 0;
  let more = 0;
  const output: Output = {
    schema: () => Promise.reject(new Error("not asked for")),
    flush: async () => {
      rows += more;
    },
    checkpoint: async () => "continue",
    result: async () => {},
  };
  const { flush } = timed(output, stopwatch, () => rows);
  await flush();
  assert.deepEqual(stopwatch.read(), { endedMs: 0 });
  more = 3;
  for (const atMs of [7, 9]) {
    clock.nowMs = 5_000 + atMs;
    await flush();
  }
  assert.deepEqual(stopwatch.read(), { firstRowMs: 7, lastRowMs: 9, endedMs: 9 });
});
