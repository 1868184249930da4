/** A connection of kind `activeDirectory`, and its rules. */
import { z } from "zod";
import { directoryAction, distinguishedName, READ_VERBS, schemaName } from "./directory-words.ts";
import { authorities, everyConnection, sessionLimits, splitAddress } from "./policy-connection.ts";
import { byShape } from "./policy-shapes.ts";
import { caller, ruleId, until } from "./policy-words.ts";

const bases = z.array(distinguishedName).min(1).max(1000);
const classes = z.union([z.literal("*"), z.array(schemaName).min(1).max(200)], 'use "*" or a list of classes');
const names = z.array(schemaName).min(1).max(1024);
const attributes = z.union([z.literal("*"), names], 'use "*" or a list of attributes');

const every = {
  id: ruleId,
  /** The base itself and what is below it. */
  bases,
  classes,
  /** Only these callers; who is not named is not served by this rule. */
  callers: z.array(caller).min(1).max(100).optional(),
};

const directoryReadRule = z.strictObject({
  ...every,
  allow: z.array(z.enum(READ_VERBS)).min(1).max(3),
  attributes,
  /** What a filter may look at; without it, the attributes that are allowed. */
  filterOn: names.optional(),
  limits: z.strictObject(sessionLimits).optional(),
  until: until.optional(),
});

const count = z.int().min(1).max(1_000_000);

const directoryWriteRule = z
  .strictObject({
    ...every,
    allow: z.array(directoryAction).min(1).max(directoryAction.options.length),
    attributes: names.optional(),
    /** Under what objects may be put, by `add` and `move`. */
    destinations: bases.optional(),
    limits: z
      .strictObject({
        seconds: sessionLimits.seconds,
        bytes: sessionLimits.bytes,
        passwordSetsPerDay: count.default(20),
        deletesPerRun: count.default(10),
      })
      .prefault({}),
    until,
  })
  .check(({ value, issues }) => {
    const need = (words: readonly string[], key: "attributes" | "destinations"): void => {
      const word = value.allow.find((one) => words.includes(one));
      if (word === undefined || value[key] !== undefined) return;
      issues.push({ code: "custom", message: `\`${word}\` needs \`${key}\``, path: ["allow"], input: value });
    };
    need(["add", "modify"], "attributes");
    need(["add", "move"], "destinations");
  });

/** All below these; with `attributes`, only what names one of them. */
const directoryDenyRule = z.strictObject({
  id: ruleId,
  deny: z.literal("all"),
  bases,
  attributes: names.optional(),
});

/** For the published schema of the file, where a rule is one of these. */
export const DIRECTORY_SHAPES = { directoryReadRule, directoryWriteRule, directoryDenyRule } as const;

export type DirectoryReadRule = z.infer<typeof directoryReadRule>;
export type DirectoryWriteRule = z.infer<typeof directoryWriteRule>;
export type DirectoryDenyRule = z.infer<typeof directoryDenyRule>;
export type DirectoryRule = DirectoryReadRule | DirectoryWriteRule | DirectoryDenyRule;

const WRITE_WORDS: readonly string[] = directoryAction.options;
const WORDS: readonly string[] = [...READ_VERBS, ...WRITE_WORDS];

export const isDirectoryWriteRule = (rule: DirectoryRule): rule is DirectoryWriteRule =>
  "allow" in rule && rule.allow.some((word) => WRITE_WORDS.includes(word));

export const isDirectoryReadRule = (rule: DirectoryRule): rule is DirectoryReadRule =>
  "allow" in rule && !isDirectoryWriteRule(rule);

export const directoryRule: z.ZodType<DirectoryRule> = byShape<DirectoryRule>((rule) => {
  if ("deny" in rule) return "allow" in rule ? "a rule has either `allow` or `deny`" : directoryDenyRule;
  if (!("allow" in rule) || !Array.isArray(rule.allow)) return "a rule needs `allow: […]` or `deny: all`";
  const unknown = rule.allow.find((word) => !WORDS.includes(word));
  if (unknown !== undefined) return `\`${String(unknown)}\` is not one of ${WORDS.join(", ")}`;
  return rule.allow.some((word) => WRITE_WORDS.includes(word)) ? directoryWriteRule : directoryReadRule;
});

/** What is missing there reads as if an object had no such value. */
const GLOBAL_CATALOGUES: readonly number[] = [3268, 3269];

/** `limits.rows` counts objects. */
export const directoryConnection = z
  .strictObject({
    kind: z.literal("activeDirectory"),
    ...everyConnection,
    tls: z.strictObject({
      /** `required`: LDAPS. `startTls`: TLS on the port for clear text. `sealed`: NTLM's own encryption there. */
      mode: z.enum(["required", "startTls", "sealed"]),
      ca: authorities,
    }),
    signIn: z
      .array(z.enum(["simple", "negotiate", "ntlm"]))
      .min(1)
      .max(3)
      .default(["simple"]),
    rules: z.array(directoryRule).max(1000),
  })
  .check(({ value, issues }) => {
    if (!GLOBAL_CATALOGUES.includes(splitAddress(value.address).port)) return;
    const message =
      "a global catalogue has a part of the attributes, and no changes: use the controller's port 636 or 389";
    issues.push({ code: "custom", message, path: ["address"], input: value });
  })
  .check(({ value, issues }) => {
    if (value.tls.mode !== "sealed" || value.signIn.every((word) => word === "ntlm")) return;
    const message = "only `signIn: [ntlm]` encrypts without TLS: use it, or the mode required or startTls";
    issues.push({ code: "custom", message, path: ["tls", "mode"], input: value });
  });
export type DirectoryConnection = z.infer<typeof directoryConnection>;
