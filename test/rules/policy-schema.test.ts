import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parsePolicy } from "@sallyport/agent/src/policy/file.ts";
import { parseStrictYaml } from "@sallyport/shared/strict-yaml.ts";
import { z } from "zod";
import { policySchema, readPolicySchema } from "./policy-schema.ts";

const page = readFileSync(new URL("../../docs/policy.md", import.meta.url), "utf8");
const EXAMPLES = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text);

test("docs/policy.schema.json is what the agent reads a policy by", () => {
  const message = "run `npx node test/rules/pages.ts`";
  assert.deepEqual(JSON.parse(readPolicySchema()), policySchema(), message);
});

test("each of the page's examples is a policy without a mistake, to the agent and to the schema", () => {
  assert.ok(EXAMPLES.length >= 3);
  const schema = z.fromJSONSchema(JSON.parse(readPolicySchema()));
  for (const text of EXAMPLES) {
    parsePolicy(text, new Date("2026-11-20T12:00:00Z"));
    assert.equal(schema.safeParse(parseStrictYaml(text)).error, undefined);
  }
});

test("the schema, too, refuses what is misspelt", () => {
  const schema = z.fromJSONSchema(JSON.parse(readPolicySchema()));
  const [first = ""] = EXAMPLES;
  for (const [right, wrong] of [
    ["columns:", "colums:"],
    ["allow: [table]", "allow: [tabel]"],
    ["kind: mssql", "kind: mysql"],
    ["deny: all", "deny: some"],
  ] as const) {
    assert.ok(first.includes(right), right);
    assert.equal(schema.safeParse(parseStrictYaml(first.replace(right, wrong))).success, false, wrong);
  }
});
