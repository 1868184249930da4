/**
 * A run's trace is made of the run's own name, so that scheduler, every claim, and whoever publishes it agree on it without
 * storing or sending anything: a doorbell that is lost, repeated or rung again by the wake index takes no context with it.
 */
import { createHash } from "node:crypto";
import type { RunOf } from "./telemetry.ts";

export interface TraceIds {
  /** 32 hex characters. */
  readonly traceId: string;
  /** 16 hex characters: the trace's first span. */
  readonly spanId: string;
}

/** The trace and its first span. Ids need to be unlike others', not secret. */
export function runTrace({ tenant, pull, run }: RunOf): TraceIds {
  const hex = createHash("sha256").update(`sallyport run\0${tenant}\0${pull}\0${run}`).digest("hex");
  return { traceId: hex.slice(0, 32), spanId: hex.slice(32, 48) };
}
