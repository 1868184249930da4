/** The JSON Schema of the policy file, for editors: `docs/policy.schema.json`, made from the schema that the agent reads it by: `npx node test/rules/pages.ts` writes it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { policy } from "@sallyport/shared/schema/policy.ts";
import { DIRECTORY_SHAPES, directoryRule } from "@sallyport/shared/schema/policy-directory.ts";
import { MSSQL_SHAPES, mssqlRule } from "@sallyport/shared/schema/policy-rules.ts";
import { z } from "zod";

export const POLICY_SCHEMA: string = fileURLToPath(new URL("../../docs/policy.schema.json", import.meta.url));

type Json = Readonly<Record<string, unknown>>;
/** Control characters, for who compiles patterns without the flag `u`. */
const PORTABLE = "\\u0000-\\u001f\\u007f-\\u009f";

/** What somebody writes, before defaults and units; rules that JSON Schema cannot say are left to `policy check`. */
function toJson(schema: z.ZodType): Json {
  const made = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const shapes = SHAPES.get(zodSchema);
      if (shapes !== undefined) jsonSchema.anyOf = Object.values(shapes).map(bare) as never;
      if (jsonSchema.pattern !== undefined) jsonSchema.pattern = jsonSchema.pattern.replaceAll("\\p{Cc}", PORTABLE);
    },
  });
  return made as Json;
}

/** A rule is read by its own words, so its schema is made of the shapes that it may have. */
const SHAPES: ReadonlyMap<unknown, Readonly<Record<string, z.ZodType>>> = new Map<
  unknown,
  Readonly<Record<string, z.ZodType>>
>([
  [mssqlRule, MSSQL_SHAPES],
  [directoryRule, DIRECTORY_SHAPES],
]);

export const policySchema = (): Json => ({
  ...toJson(policy),
  title: "Sallyport policy",
  description: "The owner's policy file, policy.yaml (docs/policy.md).",
});

/** A part of the whole names no dialect of its own. */
function bare(schema: z.ZodType): Json {
  const { $schema: _, ...made } = toJson(schema);
  return made;
}

export const policySchemaText = (): string => `${JSON.stringify(policySchema(), null, 2)}\n`;
export const readPolicySchema = (): string => readFileSync(POLICY_SCHEMA, "utf8");
