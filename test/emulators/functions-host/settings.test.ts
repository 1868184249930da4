import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveSettings } from "./settings.ts";

test("every name between percent signs is replaced, once", () => {
  assert.equal(resolveSettings("a-%X%-%Y%%X%", { X: "1", Y: "%X%" }), "a-1-%X%1");
  assert.equal(resolveSettings("100%", {}), "100%");
  assert.equal(resolveSettings("plain", {}), "plain");
});

test("a name without a setting is refused", () => {
  assert.throws(() => resolveSettings("%X%", {}), /set the app setting X/);
});
