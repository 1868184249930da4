/** What a failed session means for its run: the error table says who may retry, this says when. Pure. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import type { Run } from "../store/runs.ts";
import type { PullSettings } from "./settings.ts";

export type RetryVerdict =
  | { readonly do: "fail" }
  | { readonly do: "supersede" }
  | { readonly do: "wait"; readonly notBeforeMs: number; readonly costsClaim: boolean };

/** What is for good to the agent that meets it is not to the run: another agent of the site serves, or will. */
const MATTER_OF_ONE_AGENT: ReadonlySet<ErrorCode> = new Set(["agent.revoked"]);

/**
 * `luck`: 0 to 1, drawn for each call; full jitter over the upper half of the pause, so that runs that failed together
 * do not come back together. Never later than the deadline, at which the next claim ends the run.
 */
export function afterFailure(
  run: Pick<Run, "claims" | "deadline">,
  code: ErrorCode,
  settings: PullSettings,
  nowMs: number,
  luck: number,
): RetryVerdict {
  if (code === "request.plan_changed") return { do: "supersede" };
  const retry = MATTER_OF_ONE_AGENT.has(code) ? "free" : ERRORS[code].retry;
  if (retry === "never") return { do: "fail" };
  const costsClaim = retry === "later";
  if (costsClaim && run.claims >= settings.claims) return { do: "fail" };
  const seconds = costsClaim
    ? Math.min(settings.maxBackoffSeconds, settings.backoffSeconds * 2 ** Math.max(0, run.claims - 1))
    : settings.waitSeconds;
  const notBeforeMs = nowMs + Math.round(seconds * 1000 * (0.5 + luck / 2));
  return { do: "wait", notBeforeMs: Math.min(notBeforeMs, Date.parse(run.deadline)), costsClaim };
}
