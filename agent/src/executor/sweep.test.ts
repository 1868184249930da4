import assert from "node:assert/strict";
import { test } from "node:test";
import { createSweep } from "./sweep.ts";

test("a sweep comes with every 32 MiB, whatever they come in", (t) => {
  const swept: unknown[] = [];
  const { gc } = globalThis;
  t.after(() => Object.assign(globalThis, { gc }));
  Object.assign(globalThis, { gc: (options: unknown) => void swept.push(options) });
  const sweep = createSweep();
  for (let mib = 1; mib <= 31; mib++) sweep(2 ** 20);
  assert.equal(swept.length, 0);
  sweep(2 ** 20);
  assert.deepEqual(swept, [{ type: "minor", execution: "sync" }]);
  sweep(100 * 2 ** 20);
  assert.equal(swept.length, 2);
});

test("where nothing offers it, nothing is swept", (t) => {
  const { gc } = globalThis;
  t.after(() => Object.assign(globalThis, { gc }));
  Object.assign(globalThis, { gc: undefined });
  createSweep()(2 ** 30);
});
