/** What a request may ask of an agent. One discriminated union on `op`; later operations join it here. */
import { z } from "zod";
import { adChanges, adSchema, adSearch, adWrite, directoryChangesBy } from "./directory-operations.ts";
import { sqlFilter } from "./filter.ts";
import { position, watermark } from "./ids.ts";
import { columnName, parameterValue, tableName } from "./operation-words.ts";
import { plan } from "./plan.ts";
import { sqlCall, sqlWrite } from "./write-operations.ts";

export { type Plan, plan } from "./plan.ts";

/**
 * How `sql.table` finds what is new. `none` reads everything; `rowversion` what changed by the table's rowversion column;
 * `column` what has a greater value in a column that grows.
 */
export const tableWatermark = z.enum(["none", "rowversion", "column"]);

/** How `sql.changes` does: by Change Tracking (net changes by key), or by Change Data Capture (every change). */
export const changesBy = z.enum(["changeTracking", "cdc"]);

/** How a pull finds what is new. */
export const watermarkMode = z.enum([...tableWatermark.options, ...changesBy.options, ...directoryChangesBy.options]);

/**
 * The column that `sql.changes` and `ad.changes` put before the table's own, a text: `insert` and `update` set a row, `delete` and
 * `before` (the row as it was before an update, in CDC only) take it away. Of `ad.changes` only: `present` sets a row and
 * `kept` leaves it as it was, and a run with either of them names all that there is.
 */
export const CHANGE_COLUMN = "_op";

const parameters = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), parameterValue);

const resume = {
  /** The pull's watermark: read what came after it. Absent in a first run. */
  from: watermark.optional(),
  /** The plan that the run's first session fixed. */
  plan: plan.optional(),
  /** The last committed checkpoint: reading resumes strictly after it. */
  position: position.optional(),
  /** A backfill's own upper bound, in the place of the one that the session would find. */
  to: watermark.optional(),
};

/** What mode `column` needs. `lagSeconds`: how far behind the server's clock, or the greatest value, a run stays. */
export const columnWatermark = {
  watermarkColumn: columnName.optional(),
  lagSeconds: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .optional(),
};

/**
 * `text`: columns of 100 ns (`datetime2(7)`, `datetimeoffset(7)`) become ISO text with 7 digits, for values outside the years 1677 to 2262, which
 * is all that nanoseconds hold.
 */
const timestamps = z.literal("text").optional();

const columnList = z.union([z.literal("*"), z.array(columnName).min(1).max(1024)]);

export const sqlTable = z.strictObject({
  op: z.literal("sql.table"),
  table: tableName,
  columns: columnList,
  watermark: tableWatermark,
  /** One session in one SNAPSHOT transaction: exactly the rows of one instant. Without positions, so it cannot be resumed. */
  consistency: z.literal("snapshot").optional(),
  timestamps,
  /** Only the rows for which all of these hold. */
  filter: sqlFilter.optional(),
  ...columnWatermark,
  ...resume,
});

/** What changed in a table, with deletes; a first run reads all of it. Each row says in `CHANGE_COLUMN` what happened. */
export const sqlChanges = z.strictObject({
  op: z.literal("sql.changes"),
  table: tableName,
  columns: columnList,
  by: changesBy,
  /** Change Tracking without SNAPSHOT, where the database allows none: the changes of the next run mend what this one tears. */
  consistency: z.literal("convergent").optional(),
  /** Which of the table's capture instances; the newest without it. */
  captureInstance: columnName.optional(),
  timestamps,
  ...resume,
});

/** What there is to read, as far as the owner's policy shows it; of one table where it is named. */
export const sqlSchema = z.strictObject({ op: z.literal("sql.schema"), table: tableName.optional() });

export const sqlQuery = z
  .strictObject({
    op: z.literal("sql.query"),
    /** The name of a statement in the owner's policy. */
    statement: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/)
      .optional(),
    /** Any T-SQL; only where the owner's policy has a `raw` rule. */
    raw: z.string().min(1).max(32768).optional(),
    parameters: parameters.default({}),
    timestamps,
    plan: plan.optional(),
  })
  .refine((query) => (query.statement === undefined) !== (query.raw === undefined), "give either `statement` or `raw`");

const agentPing = z.strictObject({ op: z.literal("agent.ping") });

export const operation = z.discriminatedUnion("op", [
  sqlTable,
  sqlChanges,
  sqlQuery,
  sqlSchema,
  sqlWrite,
  sqlCall,
  adSearch,
  adChanges,
  adSchema,
  adWrite,
  agentPing,
]);
export type Operation = z.infer<typeof operation>;
export type SqlTable = z.infer<typeof sqlTable>;
export type SqlChanges = z.infer<typeof sqlChanges>;
export type SqlQuery = z.infer<typeof sqlQuery>;
export type SqlSchema = z.infer<typeof sqlSchema>;

/** The operations that a pull may store: without what the run adds to them. */
export const pullOperation = z.discriminatedUnion("op", [
  sqlTable.omit({
    ...{ from: true, to: true, plan: true, position: true },
    ...{ watermark: true, watermarkColumn: true, lagSeconds: true },
  }),
  sqlChanges.omit({ from: true, to: true, plan: true, position: true, by: true }),
  z.strictObject({
    op: z.literal("sql.query"),
    statement: z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/),
    parameters: parameters.default({}),
    timestamps,
  }),
  adSearch.omit({ from: true, to: true, plan: true, position: true }),
  adChanges.omit({ from: true, to: true, plan: true, position: true, by: true }),
]);
export type PullOperation = z.infer<typeof pullOperation>;

/** Limits of one session, stated in the signed request; each side enforces the smaller of these and its own. */
export const limits = z.strictObject({
  rows: z.int().min(1).max(1e12),
  /** Bytes of Arrow batches before compression. */
  bytes: z.int().min(1).max(1e15),
  seconds: z.int().min(1).max(86_400),
  /** Bytes of one value, as encoded in Arrow. */
  cellBytes: z
    .int()
    .min(1)
    .max(1 << 30),
  /** Bytes of one row, as encoded in Arrow. */
  rowBytes: z
    .int()
    .min(1)
    .max(1 << 30),
});
export type Limits = z.infer<typeof limits>;

/**
 * Bytes of a value or of a row that a pull or a request may ask for. The protocol carries more; but the orchestrator holds a whole
 * row of each of its sessions, and an agent of one tenant must not take the memory that all tenants share.
 */
const MOST_ROW_BYTES = 64 * 2 ** 20;

/** What a pull or a request may say of its limits. */
export const askedLimits = limits
  .extend({ cellBytes: z.int().min(1).max(MOST_ROW_BYTES), rowBytes: z.int().min(1).max(MOST_ROW_BYTES) })
  .partial();

export const DEFAULT_LIMITS: Limits = {
  rows: 50_000_000,
  bytes: 20 * 2 ** 30,
  seconds: 3600,
  cellBytes: 16 * 2 ** 20,
  rowBytes: 32 * 2 ** 20,
};

/** Bytes of one batch before compression, unless a single row is larger. */
export const MAX_BATCH_BYTES: number = 16 * 2 ** 20;
