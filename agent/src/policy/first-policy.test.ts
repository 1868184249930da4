import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy } from "./file.ts";
import { DENY_ALL } from "./first-policy.ts";

const NOW = new Date("2026-11-20T12:00:00Z");

test("what denies everything is a policy, and so is what it shows, once the marks are gone", () => {
  assert.deepEqual(parsePolicy(DENY_ALL, NOW).connections, {});
  const [head = "", example = ""] = DENY_ALL.split("connections: {}\n");
  const shown = parsePolicy(`${head}${example.replace(/^#.*\n#\n/, "").replaceAll(/^# /gm, "")}`, NOW);
  assert.deepEqual(
    shown.connections.erp?.rules.map(({ id }) => id),
    ["orders", "never-hr"],
  );
});
