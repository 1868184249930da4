/** What `GET /api/health` and `GET /api/v1/health` answer. */
import { z } from "zod";

const status = z.enum(["ok", "degraded", "failing"]);

/** For anybody: a status, and the codes of what is wrong (docs/telemetry.md). */
export const healthView = z.object({ status, wrong: z.array(z.string()) });
export type HealthView = z.infer<typeof healthView>;

/** For callers with a key. */
export const healthDetails = z.object({
  status,
  at: z.iso.datetime(),
  wrong: z.array(
    z.object({
      code: z.string(),
      means: z.enum(["failing", "degraded"]),
      advice: z.string(),
      facts: z.record(z.string(), z.number()),
    }),
  ),
});
export type HealthDetails = z.infer<typeof healthDetails>;
