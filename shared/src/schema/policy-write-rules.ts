/** The rules of a connection that let something be changed: rows of tables, and procedures. */
import { z } from "zod";
import { columnName, parameterValue, tableName } from "./operation-words.ts";
import { byteSize, caller, declaredType, ruleId, tablePattern, until } from "./policy-words.ts";
import { writeAction } from "./write-operations.ts";

const count = z.int().min(1).max(1e12);
const sizes = {
  seconds: z.int().min(1).max(86_400).optional(),
  bytes: byteSize.optional(),
  cellBytes: byteSize.optional(),
  rowBytes: byteSize.optional(),
};
const every = {
  id: ruleId,
  until: until.optional(),
  /** Only these callers; who is not named is not served by this rule. */
  callers: z.array(caller).min(1).max(100).optional(),
  /**
   * The table of the owner's that keeps idempotency keys (docs/connectors/mssql.md, "Writing"). Without it no request
   * under this rule may carry one.
   */
  requestTable: tableName.optional(),
};

const FIND_BY_KEY = ["update", "upsert", "delete", "replace"] as const;

export const writeRule = z
  .strictObject({
    ...every,
    allow: z.array(writeAction).min(1).max(5),
    tables: z.array(tablePattern).min(1).max(1000),
    /** What may be written, and what rows are found by. */
    columns: z.array(columnName).min(1).max(1024),
    /** Tells rows apart: without regard to it nothing is updated or deleted. */
    key: z.array(columnName).min(1).max(16).optional(),
    limits: z.strictObject({ ...sizes, rowsPerRequest: count.optional(), rowsPerDay: count.optional() }).optional(),
  })
  .check((context) => {
    const { allow, key, columns } = context.value;
    const keyed = allow.find((word) => (FIND_BY_KEY as readonly string[]).includes(word));
    const say = (path: string, message: string): void => {
      context.issues.push({ code: "custom", message, path: [path], input: context.value });
    };
    if (keyed !== undefined && key === undefined) say("allow", `\`${keyed}\` needs a \`key\``);
    const missing = key?.find((name) => !columns.includes(name));
    if (missing !== undefined) say("key", `${missing} is not one of \`columns\``);
  });
export type WriteRule = z.infer<typeof writeRule>;

/** A parameter of a procedure: a type; a value of a list; one that the procedure gives back; or rows of a table type. */
const callParameter = z.union(
  [
    declaredType.transform((type) => ({ type })),
    z.strictObject({
      type: declaredType,
      in: z.array(parameterValue).min(1).max(1000).optional(),
      output: z.literal(true).optional(),
    }),
    z.strictObject({ tableType: tableName, columns: z.record(columnName, declaredType) }),
  ],
  "use a SQL type in lower case, { type, in: […] }, { type, output: true }, or { tableType, columns }",
);
export type CallParameter = z.infer<typeof callParameter>;

export const callRule = z.strictObject({
  ...every,
  allow: z.tuple([z.literal("call")], "a rule with `call` allows nothing else"),
  procedure: tableName,
  parameters: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), callParameter).default({}),
  /** Names of the columns of each result set, in order; `[]` for a procedure that gives none. */
  returns: z.array(z.array(columnName).min(1).max(1024)).max(100).default([]),
  /** The owner's word for what it does. */
  effect: z.enum(["read", "write"]),
  limits: z.strictObject({ ...sizes, rows: count.optional() }).optional(),
});
export type CallRule = z.infer<typeof callRule>;

export const WRITE_WORDS: readonly string[] = writeAction.options;
