/** How a run reads, whatever the kind of its source. */
import { z } from "zod";
import { watermark } from "./ids.ts";
import { columnName } from "./operation-words.ts";

/**
 * How a run reads, fixed by its first session: sent by the agent in the schema's metadata (`sallyport.plan`), stored in
 * the run, and repeated in the request of each later session.
 * `to`: the upper bound of a watermark mode, opaque; null where the mode has none.
 */
export const plan = z.strictObject({
  to: watermark.nullable(),
  key: z.array(columnName).max(32),
  isolation: z.enum(["readCommitted", "snapshot"]),
  consistency: z.enum(["exact", "fuzzy", "statement"]),
});
export type Plan = z.infer<typeof plan>;
