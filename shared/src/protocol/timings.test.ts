import assert from "node:assert/strict";
import { test } from "node:test";
import { endBody, errorBody } from "./frames.ts";

const END = { rows: 0, bytes: 0, batches: 0, position: null, complete: true, executedMs: 1 };
const ERROR = { code: "sql.syntax", message: "No.", retryable: false, detail: {} };

test("the last frame may say when the agent did what", () => {
  const timings = { firstFrameMs: 1, allowedMs: 2.5, endedMs: 3 };
  assert.deepEqual(endBody.parse({ ...END, timings }).timings, timings);
  assert.deepEqual(errorBody.parse({ ...ERROR, timings }).timings, timings);
});

test("an older agent says nothing of it", () => {
  assert.equal(endBody.parse(END).timings, undefined);
  assert.equal(errorBody.parse(ERROR).timings, undefined);
});

test("what is no such thing is left out and fails nothing: the rows are what counts", () => {
  for (const timings of [
    {},
    { endedMs: -1 },
    { endedMs: 1e12 },
    { endedMs: "1" },
    { endedMs: 1, loginMs: null },
    "now",
    null,
  ]) {
    assert.equal(endBody.parse({ ...END, timings }).timings, undefined, JSON.stringify(timings));
    assert.equal(errorBody.parse({ ...ERROR, timings }).timings, undefined, JSON.stringify(timings));
  }
});
