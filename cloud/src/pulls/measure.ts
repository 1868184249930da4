/** What is measured of a run as a whole: how it came to be, and what became of it. */
import { type ErrorCode, isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Run } from "../store/runs.ts";
import type { RunOf } from "../telemetry/telemetry.ts";
import type { PullDeps } from "./deps.ts";

/** The first span of the run's trace, from `fromMs` to now: the scheduler's, or that of who started it by hand. */
export function tellBegan(
  { telemetry, clock }: Pick<PullDeps, "telemetry" | "clock">,
  run: RunOf,
  name: "schedule" | "start",
  fromMs: number,
  kind: Run["kind"],
  lagMs?: number,
): void {
  const lag = lagMs === undefined ? {} : { "sallyport.lag_seconds": lagMs / 1000 };
  telemetry.began(run, { name, startMs: fromMs, endMs: clock.now(), facts: { "sallyport.kind": kind, ...lag } });
  if (lagMs !== undefined) telemetry.measure("sallyport.schedule.lag", lagMs / 1000);
}

/** Counts a run that has ended. `state`: as its event says. */
export function measureEnd({ telemetry }: Pick<PullDeps, "telemetry">, state: Run["state"], run: Run): void {
  const code = codeOf(run);
  const facts = { "sallyport.state": state, "sallyport.kind": run.kind, "sallyport.code": code };
  telemetry.measure("sallyport.runs", 1, facts);
  if (run.endedAt === null) return;
  const seconds = (Date.parse(run.endedAt) - Date.parse(run.startedAt)) / 1000;
  telemetry.measure("sallyport.run.duration", seconds, facts);
}

/** Undefined where it ended well, whatever an earlier try met. */
function codeOf({ state, error }: Run): ErrorCode | undefined {
  const ended = state === "failed" || state === "superseded" ? error?.code : undefined;
  return ended !== undefined && isErrorCode(ended) ? ended : undefined;
}
