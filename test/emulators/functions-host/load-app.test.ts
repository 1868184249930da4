import assert from "node:assert/strict";
import { test } from "node:test";
import { selectEntries } from "./load-app.ts";

test("entry files are loaded in order, tests beside them are not", () => {
  const files = ["f/b.ts", "f/a.test.ts", "f/a.ts", "index.cjs", "f/c.test.mjs", "f/attest.ts"];
  assert.deepEqual(selectEntries(files), ["f/a.ts", "f/attest.ts", "f/b.ts", "index.cjs"]);
});
