/** An agent whose version has to show that it works: its machine goes back to the other one where no canary comes. */
import type { Agent } from "../store/agents.ts";

const TRIAL_MS = 5 * 60_000;

/** For an agent that has started with another version, or says that its updater waits for a proof: also of a version that is known. */
export const startsTrial = (
  report: Pick<Agent, "version"> & { readonly updates?: Agent["updates"] | undefined },
  known: Pick<Agent, "version">,
): boolean => report.version !== known.version || report.updates?.proving === true;

/** Until something has reached it since, or nothing has for too long. */
export function isOnTrial({ versionAt, reachedAt }: Agent, nowMs: number): boolean {
  if (versionAt === null || nowMs - Date.parse(versionAt) >= TRIAL_MS) return false;
  return reachedAt === null || Date.parse(reachedAt) < Date.parse(versionAt);
}
