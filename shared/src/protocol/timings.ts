/**
 * When an agent did what, in milliseconds since it opened the request, on its monotonic clock. It goes with the last frame,
 * where the request had a `traceparent`. Wall clocks differ, so none is told: whoever sent the request knows when that was.
 */
import { z } from "zod";

/** A day is longer than any session. */
const ms = z.number().min(0).max(86_400_000);

export const timings = z.object({
  /** The first frame left; compared with its arrival, it says how long the way takes. */
  firstFrameMs: ms.optional(),
  /** The policy allowed it, and the journal has its line. */
  allowedMs: ms.optional(),
  /** The system was reached and the credential goes out. */
  loginMs: ms.optional(),
  /** The system took it. */
  acceptedMs: ms.optional(),
  firstRowMs: ms.optional(),
  lastRowMs: ms.optional(),
  /** The last frame was made. */
  endedMs: ms,
});
export type Timings = z.infer<typeof timings>;
