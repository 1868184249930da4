import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { isSet } from "./lock.ts";

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
