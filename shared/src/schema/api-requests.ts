/** Requests by hand: one operation on a connection, and what becomes of it. */
import { z } from "zod";
import { adChanges, adSchema, adSearch, adWrite } from "./directory-operations.ts";
import { nameId, randomId } from "./ids.ts";
import { columnName } from "./operation-words.ts";
import { askedLimits, sqlChanges, sqlQuery, sqlSchema, sqlTable } from "./operations.ts";
import { sqlCall, sqlWrite } from "./write-operations.ts";

/** Without what only a run's later sessions say. */
const requestOperation = z.discriminatedUnion("op", [
  sqlTable
    .omit({ from: true, to: true, plan: true, position: true, watermarkColumn: true, lagSeconds: true })
    .extend({ watermark: z.literal("none").default("none") }),
  sqlChanges.omit({ plan: true, position: true }),
  sqlQuery,
  sqlSchema,
  sqlWrite,
  sqlCall,
  adSearch,
  adChanges,
  adSchema,
  adWrite,
]);

/** Values as NDJSON has them: what a number cannot hold exactly is a text. */
const cell = z.union([z.string().max(262_144), z.number(), z.boolean(), z.null()]);

/** Rows for `sql.write`, each with a value for every one of the operation's columns, in their order. */
const requestInput = z.strictObject({
  rows: z.array(z.array(cell).max(1024)).min(1).max(10_000),
  /** Columns whose texts are base64. */
  binary: z.array(columnName).max(1024).default([]),
});
export type RequestInput = z.infer<typeof requestInput>;

const MOST_REQUEST_SECONDS = 600;
/** What a call waits for its result, unless it says less. */
export const MOST_WAIT_SECONDS = 30;
/** What a request may bring unless it says otherwise; a pull is for more. */
export const REQUEST_LIMITS = {
  rows: 100_000,
  bytes: 64 * 2 ** 20,
  seconds: 120,
  cellBytes: 16 * 2 ** 20,
  rowBytes: 32 * 2 ** 20,
} as const;

export const newRequest = z
  .strictObject({
    connection: nameId,
    operation: requestOperation,
    input: requestInput.optional(),
    limits: askedLimits
      .extend({
        rows: z.int().min(1).max(1_000_000).optional(),
        bytes: z
          .int()
          .min(1)
          .max(256 * 2 ** 20)
          .optional(),
        seconds: z.int().min(1).max(MOST_REQUEST_SECONDS).optional(),
      })
      .default({}),
    /** Seconds that the call waits for the result before it is answered with 202. */
    waitSeconds: z.int().min(0).max(MOST_WAIT_SECONDS).default(MOST_WAIT_SECONDS),
  })
  .refine(({ operation, input }) => (operation.op === "sql.write") === (input !== undefined), {
    message: "goes with sql.write, and only with it",
    path: ["input"],
  })
  .refine(
    ({ operation, input }) =>
      operation.op !== "sql.write" || (input?.rows ?? []).every((row) => row.length === operation.columns.length),
    { message: "each row has a value for each of the operation's columns", path: ["input", "rows"] },
  );
export type NewRequest = z.infer<typeof newRequest>;

export const requestState = z.enum(["running", "waiting", "succeeded", "failed"]);

const told = z.object({
  code: z.string(),
  message: z.string(),
  advice: z.string(),
  facts: z.record(z.string(), z.unknown()),
  at: z.string(),
});

/** Lines for the policy's owner to read and paste: what would have allowed what was denied. */
export const suggestion = z.object({
  connection: nameId,
  /** YAML of one rule, to stand under the connection's `rules`; empty where none is suggested. */
  lines: z.array(z.string()),
  /** Why there is none. */
  why: z.string().nullable(),
});
export type SuggestionView = z.infer<typeof suggestion>;

export const requestView = z.object({
  id: randomId,
  connection: nameId,
  operation: z.string(),
  state: requestState,
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /** How many rows came, and their bytes. */
  count: z.int().nullable(),
  bytes: z.int().nullable(),
  error: told.nullable(),
  suggestion: suggestion.nullable(),
  /** Until when the result is kept; null where it is not, or not any more. */
  keptUntil: z.string().nullable(),
  /** A result over 1 MiB, as NDJSON, to be read within 10 minutes. */
  link: z.object({ url: z.url(), expiresAt: z.string() }).nullable(),
  columns: z.array(z.object({ name: z.string(), source: z.string() })).optional(),
  /** Exact values, as in NDJSON (docs/api.md). */
  rows: z.array(z.record(z.string(), z.unknown())).optional(),
  /** What the operation gives beside rows. */
  result: z.unknown().optional(),
});
export type RequestView = z.infer<typeof requestView>;

/** The checks of a connection test, in the order in which an agent makes them. */
export const CHECKS = ["agent", "credential", "policy", "network", "tls", "login", "rights"] as const;

export const connectionTest = z.object({
  connection: nameId,
  ok: z.boolean(),
  checks: z.array(
    z.object({
      check: z.enum(CHECKS),
      /** `unknown`: not reached, because one before it failed. */
      state: z.enum(["ok", "failed", "unknown"]),
      error: told.omit({ at: true }).nullable(),
    }),
  ),
  /** What the policy shows of the system: the number of its tables or classes. */
  shown: z.int().nullable(),
  executedMs: z.number().nullable(),
});
export type ConnectionTest = z.infer<typeof connectionTest>;
