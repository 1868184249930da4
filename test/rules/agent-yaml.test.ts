/** docs/agent-yaml.md names every key of agent.yaml with its default, and none that there is not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { agentConfig } from "@sallyport/agent/src/config.ts";
import { parseStrictYaml } from "@sallyport/shared/strict-yaml.ts";
import { z } from "zod";

const page = readFileSync(new URL("../../docs/agent-yaml.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| `([A-Za-z.]+)` \| (.+?) \| /gm)].map(([, key = "", written = ""]) => ({
  key,
  written,
}));
const LEAST = {
  v: 1,
  origin: "https://sallyport.example",
  agent: "0".repeat(32),
  tenant: "contoso",
  site: "oslo",
};

/** `journal.syslog.to` and its like: every key that holds no further ones. */
function keysOf(schema: z.core.JSONSchema.JSONSchema): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const inner = typeof value === "object" ? keysOf(value) : [];
    return inner.length === 0 ? [key] : inner.map((each) => `${key}.${each}`);
  });
}

/** `{ a: { b: value } }` for `a.b`. */
const at = (key: string, value: unknown): object =>
  key.split(".").reduceRight((inner, name) => ({ [name]: inner }), value as object);

test("keys", () => {
  const schema = z.toJSONSchema(agentConfig, { io: "input", unrepresentable: "any" });
  assert.deepEqual(rows.map(({ key }) => key).sort(), keysOf(schema).sort());
});

test("defaults: a key that is set to what the page says changes nothing; one without a default is needed, or not there", () => {
  const least = agentConfig.parse(LEAST);
  for (const { key, written } of rows) {
    const value = /^`(.+)`$/.exec(written)?.[1];
    if (value !== undefined)
      assert.deepEqual(agentConfig.parse({ ...LEAST, ...at(key, parseStrictYaml(value)) }), least, key);
    else if (written === "required") {
      const { [key as keyof typeof LEAST]: _, ...rest } = LEAST;
      assert.equal(agentConfig.safeParse(rest).success, false, key);
    } else {
      assert.equal(written, "none", key);
      const found = key
        .split(".")
        .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], least);
      assert.equal(found, undefined, key);
    }
  }
});
