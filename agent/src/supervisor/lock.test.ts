import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import type { Clock } from "../clock.ts";
import { isSet, watchFlag } from "./lock.ts";

it("a flag is set when it is there, or when nobody can tell", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-lock-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const flag = join(folder, "lock");
  assert.equal(isSet(flag), false);
  assert.equal(isSet(join(folder, "missing", "lock")), false, "no control folder, no lock");
  writeFileSync(flag, "");
  assert.equal(isSet(flag), true);
  assert.equal(isSet(join(flag, "lock")), true, "not a folder: it cannot be looked at");
});

it("each change is told once, and a flag that is set at the beginning", async () => {
  const looks = [true, true, false, false, true, false];
  const told: boolean[] = [];
  const stop = new AbortController();
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    sleep: async () => {
      if (looks.length === 0) stop.abort();
    },
  };
  await watchFlag(
    () => looks.shift() ?? false,
    (set) => told.push(set),
    clock,
    stop.signal,
  );
  assert.deepEqual(told, [true, false, true, false]);
});
