/**
 * The rules of a connection of kind `mssql`. What a rule allows decides which keys it may have, so that a mistake in
 * one key is reported as that, not as "fits none of six shapes".
 */
import { z } from "zod";
import { mask } from "./mask.ts";
import { columnName, parameterValue } from "./operation-words.ts";
import { sessionLimits } from "./policy-connection.ts";
import { byShape } from "./policy-shapes.ts";
import { caller, declaredType, ruleId, tablePattern, until } from "./policy-words.ts";
import { type CallRule, callRule, WRITE_WORDS, type WriteRule, writeRule } from "./policy-write-rules.ts";

const columnList = z.array(columnName).min(1).max(1024);
const tables = z.array(tablePattern).min(1).max(1000);

const every = {
  id: ruleId,
  limits: z.strictObject(sessionLimits).optional(),
  until: until.optional(),
  /** Only these callers; who is not named is not served by this rule. */
  callers: z.array(caller).min(1).max(100).optional(),
};

const tableRule = z.strictObject({
  ...every,
  allow: z
    .array(z.enum(["table", "changes", "schema"]))
    .min(1)
    .max(3),
  tables,
  columns: z.union([z.literal("*"), columnList], 'use "*" or a list of column names').default("*"),
  /** What a filter may look at; without it, the columns that are allowed and not masked. */
  filterOn: columnList.optional(),
  /** How values of these columns leave: they may be read so, and are of no use to a filter, an order or a watermark. */
  mask: z.record(columnName, mask).optional(),
});

const parameter = z.union(
  [
    declaredType.transform((type) => ({ type })),
    z.strictObject({ type: declaredType, in: z.array(parameterValue).min(1).max(1000) }),
  ],
  "use a SQL type in lower case, or { type, in: […] }",
);

const statementRule = z.strictObject({
  ...every,
  allow: z.tuple([z.literal("statement")], "a rule with `statement` allows nothing else"),
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "use a letter, then letters, digits, _ or -"),
  sql: z.string().min(1).max(32_768),
  parameters: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), parameter).default({}),
  /** Names of the columns, in the order in which the statement gives them. */
  returns: columnList,
});

const rawRule = z.strictObject({
  ...every,
  allow: z.tuple([z.literal("raw")], "a rule with `raw` allows nothing else"),
  until,
});

const denyRule = z.strictObject({ id: ruleId, deny: z.literal("all"), tables });

export type TableRule = z.infer<typeof tableRule>;
export type StatementRule = z.infer<typeof statementRule>;
export type RawRule = z.infer<typeof rawRule>;
export type DenyRule = z.infer<typeof denyRule>;
export type { CallParameter, CallRule, WriteRule } from "./policy-write-rules.ts";
export type ReadRule = TableRule | StatementRule | RawRule;
export type AllowRule = ReadRule | WriteRule | CallRule;
export type MssqlRule = AllowRule | DenyRule;

const WORDS = ["table", "changes", "schema", "statement", "raw", ...WRITE_WORDS, "call"];

export const isCallRule = (rule: MssqlRule): rule is CallRule => "procedure" in rule;

export const isWriteRule = (rule: MssqlRule): rule is WriteRule =>
  "allow" in rule && rule.allow.some((word) => WRITE_WORDS.includes(word));

/** A rule that lets nothing be changed. */
export const isReadRule = (rule: MssqlRule): rule is ReadRule =>
  "allow" in rule && !isCallRule(rule) && !isWriteRule(rule);

/** Which of the six shapes a rule wants to be, by its own `allow` or `deny`; or why it is none. */
function shapeOf(rule: object): z.ZodType<MssqlRule> | string {
  if ("deny" in rule) return "allow" in rule ? "a rule has either `allow` or `deny`" : denyRule;
  if (!("allow" in rule) || !Array.isArray(rule.allow)) return "a rule needs `allow: […]` or `deny: all`";
  const unknown = rule.allow.find((word) => !WORDS.includes(word));
  if (unknown !== undefined) return `\`${String(unknown)}\` is not one of ${WORDS.join(", ")}`;
  if (rule.allow.includes("statement")) return statementRule;
  if (rule.allow.includes("call")) return callRule;
  if (rule.allow.some((word) => WRITE_WORDS.includes(word))) return writeRule;
  return rule.allow.includes("raw") ? rawRule : tableRule;
}

export const mssqlRule: z.ZodType<MssqlRule> = byShape(shapeOf);

/** For the published schema of the file, where a rule is one of these. */
export const MSSQL_SHAPES = { tableRule, statementRule, rawRule, writeRule, callRule, denyRule } as const;
