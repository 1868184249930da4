import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStatus } from "./control-manager.ts";
import { askedBy, statusBytes } from "./service-control.ts";

const words = (bytes: Buffer) => Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readUInt32LE(4 * at));
const settled = { checkPoint: 0, waitHintMs: 0, exitCode: 0 };

test("a status as SERVICE_STATUS has it", () => {
  const stopAndPreshutdown = 0x101;
  assert.deepEqual(words(statusBytes({ ...settled, state: "running" })), [0x10, 4, stopAndPreshutdown, 0, 0, 0, 0]);
  assert.deepEqual(
    words(statusBytes({ ...settled, state: "startPending", checkPoint: 3, waitHintMs: 20_000 })),
    [0x10, 2, 0, 0, 0, 3, 20_000],
  );
  assert.deepEqual(words(statusBytes({ ...settled, state: "stopPending", checkPoint: 1 })), [0x10, 3, 0, 0, 0, 1, 0]);
  // ERROR_SERVICE_SPECIFIC_ERROR, and what the agent ended with.
  assert.deepEqual(words(statusBytes({ ...settled, state: "stopped", exitCode: 78 })), [0x10, 1, 0, 1066, 78, 0, 0]);
});

test("stop, shutdown and what comes before it ask for the same; unknown controls for nothing that we do", () => {
  assert.deepEqual([1, 5, 15].map(askedBy), ["stop", "stop", "stop"]);
  assert.equal(askedBy(4), "nothing");
  assert.deepEqual([0, 2, 3, 200].map(askedBy), [undefined, undefined, undefined, undefined]);
});

test("a status as SERVICE_STATUS_PROCESS has it", () => {
  const bytes = (...values: number[]) => Buffer.from(new Uint32Array(values).buffer);
  assert.deepEqual(parseStatus(bytes(0x10, 4, 1, 0, 0, 0, 0, 4711, 0)), { state: "running", pid: 4711, exitCode: 0 });
  assert.deepEqual(parseStatus(bytes(0x10, 1, 0, 1066, 78, 0, 0, 0, 0)), { state: "stopped", pid: null, exitCode: 78 });
  assert.deepEqual(parseStatus(bytes(0x10, 1, 0, 1077, 0, 0, 0, 0, 0)), {
    state: "stopped",
    pid: null,
    exitCode: 1077,
  });
  assert.equal(parseStatus(bytes(0x10, 99, 0, 0, 0, 0, 0, 0, 0)).state, "?");
});
