/** What a check of `sallyport doctor` says, and how checks run: all at once, each with its own few seconds. */

export interface Finding {
  readonly component: string;
  readonly target: string;
  readonly status: "ok" | "warn" | "FAIL";
  readonly details: string;
  /** What a person does about it; with every status but ok. */
  readonly advice?: string;
}

/** One file of this folder each. It never rejects, and ends at the latest when the signal aborts. */
export type Check = (signal: AbortSignal) => Promise<Finding>;

const CHECK_MS = 5_000;

/** In the order of the checks, whichever ends first. */
export const runChecks = (checks: readonly Check[]): Promise<Finding[]> =>
  Promise.all(checks.map((check) => check(AbortSignal.timeout(CHECK_MS))));
