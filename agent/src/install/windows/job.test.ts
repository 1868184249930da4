import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, MEMORY_BYTES } from "./job.ts";

const MIB = 2 ** 20;

test("a job ends with its host, and bounds each process and all of them, where winnt.h has these fields", () => {
  const bytes = limits(1024 * MIB);
  assert.equal(bytes.length, 144);
  assert.equal(bytes.readUInt32LE(16), 0x2700);
  assert.equal(bytes.readBigUInt64LE(112), BigInt(1280 * MIB));
  assert.equal(bytes.readBigUInt64LE(120), BigInt(MEMORY_BYTES));
  // Nothing else is limited: other flags would make sense of these.
  const others = [...bytes.subarray(0, 16), ...bytes.subarray(20, 112), ...bytes.subarray(128)];
  assert.ok(others.every((byte) => byte === 0));
});

test("the supervisor, which is bounded too, has what it needs also where executors get little; no process gets more than all", () => {
  const each = (executorBytes: number) => Number(limits(executorBytes).readBigUInt64LE(112));
  assert.equal(each(192 * MIB), 768 * MIB);
  assert.equal(each(2 ** 40), MEMORY_BYTES);
});
