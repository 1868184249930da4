/** Pulls, their schedules and sinks, as stored and as the API takes them. */
import { z } from "zod";
import { directoryChangesBy } from "./directory-operations.ts";
import { nameId } from "./ids.ts";
import {
  askedLimits,
  changesBy,
  columnWatermark,
  type PullOperation,
  pullOperation,
  tableWatermark,
  watermarkMode,
} from "./operations.ts";

/**
 * Five-part cron in a time zone. `misfire`: what a standstill is followed by: one run, a run for each missed due time, or
 * none; `overlap`: what a due time in a run means. `jitterSeconds`: each pull starts by a share of it later, always the same.
 */
export const schedule = z.strictObject({
  cron: z.string().min(9).max(120),
  timezone: z.string().max(64).default("UTC"),
  misfire: z.enum(["once", "all", "skip"]).default("once"),
  overlap: z.enum(["skip", "queue"]).default("skip"),
  jitterSeconds: z.int().min(0).max(3600).default(0),
});
export type Schedule = z.infer<typeof schedule>;

const sinkFormat = z.enum(["parquet", "arrow", "ndjson"]);
export type SinkFormat = z.infer<typeof sinkFormat>;
export const sink = z.strictObject({ type: z.literal("blob"), format: sinkFormat.default("parquet") });

const MODES: Readonly<Record<PullOperation["op"], ReadonlySet<z.infer<typeof watermarkMode>>>> = {
  "sql.table": new Set(tableWatermark.options),
  "sql.changes": new Set(changesBy.options),
  "sql.query": new Set(["none"]),
  "ad.search": new Set(["none"]),
  "ad.changes": new Set(directoryChangesBy.options),
};

export const pullDefinition = z
  .strictObject({
    connection: nameId,
    operation: pullOperation,
    watermark: watermarkMode.default("none"),
    ...columnWatermark,
    schedule: schedule.optional(),
    sink: sink.default({ type: "blob", format: "parquet" }),
    limits: askedLimits.default({}),
    /** Seconds from a run's start to its last try. */
    maxSeconds: z
      .int()
      .min(60)
      .max(7 * 86_400)
      .default(86_400),
    /** Days after which a run's results are deleted, the newest ones excepted; without, they stay. */
    retentionDays: z.int().min(1).max(3650).optional(),
    /** When what was published last is older, counted from its run's start, somebody is told: event `sallyport.pull.stale`. */
    freshness: z
      .strictObject({
        maxAgeSeconds: z
          .int()
          .min(60)
          .max(90 * 86_400),
      })
      .optional(),
    paused: z.boolean().default(false),
  })
  .refine(({ watermark, operation }) => MODES[operation.op].has(watermark), {
    message:
      "sql.table takes none, rowversion or column; sql.changes changeTracking or cdc; ad.changes dirSync or usn; sql.query and ad.search none",
    path: ["watermark"],
  })
  .refine(
    ({ watermark, operation }) =>
      watermark === "none" || !("consistency" in operation && operation.consistency === "snapshot"),
    {
      message: "a snapshot is read whole: without a watermark",
      path: ["operation", "consistency"],
    },
  )
  .refine(
    ({ watermark, operation }) =>
      watermark !== "cdc" || !("consistency" in operation && operation.consistency !== undefined),
    {
      message: "goes with the watermark changeTracking only",
      path: ["operation", "consistency"],
    },
  )
  .refine(
    ({ watermark, operation }) =>
      watermark === "cdc" || !("captureInstance" in operation && operation.captureInstance !== undefined),
    {
      message: "goes with the watermark cdc only",
      path: ["operation", "captureInstance"],
    },
  )
  .refine((pull) => (pull.watermark === "column") === (pull.watermarkColumn !== undefined), {
    message: "goes with the watermark column, and only with it",
    path: ["watermarkColumn"],
  })
  .refine((pull) => pull.watermark === "column" || pull.lagSeconds === undefined, {
    message: "goes with the watermark column only",
    path: ["lagSeconds"],
  });
export type PullDefinition = z.infer<typeof pullDefinition>;

export const runState = z.enum([
  "queued",
  "running",
  "waiting",
  "decided",
  "published",
  "failed",
  "cancelled",
  "superseded",
  "expired",
]);
export type RunState = z.infer<typeof runState>;

/** The immutable document that makes a decided run visible; a pure function of the run and its slices. */
export const manifest = z.strictObject({
  v: z.literal(1),
  tenant: nameId,
  pull: nameId,
  seq: z.int().min(1),
  run: z.string(),
  kind: z.enum(["scheduled", "manual", "backfill"]),
  replaces: z.boolean(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  consistency: z.string(),
  key: z.array(z.string()),
  schema: z.string(),
  rows: z.int().min(0),
  bytes: z.int().min(0),
  parts: z.array(z.strictObject({ path: z.string(), sha256: z.string(), rows: z.int().min(0), bytes: z.int().min(0) })),
});
export type Manifest = z.infer<typeof manifest>;
