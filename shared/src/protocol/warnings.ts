/**
 * What a session noticed that is no error, but wants a person's eye before it becomes one: a closed table, as errors are.
 * It travels in the session's last frame and stands in the run's view.
 */
import { z } from "zod";

export const WARNINGS = {
  "directory.changes_by":
    "The changes were not read the way that was asked for: the facts say how, and why. A full one names everything anew.",
  "directory.elsewhere":
    "Part of what was asked for is on other servers, which the facts name. It was left out: referrals are never followed.",
  "directory.reconciled":
    "Deletions were not told by the directory, so the run names all that is there: what it does not name is gone.",
  "directory.unknown_attribute":
    "The directory's schema has none of the attributes that the facts name: their columns are empty.",
  "sql.masked_columns":
    "The server masks the columns that the facts name for this login (Dynamic Data Masking): they hold what it puts in the values' place. GRANT UNMASK, or leave them out.",
  "sql.open_transaction":
    "An open transaction holds the run's upper bound back: what was written since comes when it ends. Find its session by the number in the facts.",
  "sql.retention":
    "Half of the source's retention had passed since the last run: run the pull more often, or keep changes for longer.",
} as const;

export type WarningCode = keyof typeof WARNINGS;
export const MAX_WARNINGS = 16;

export const warning = z.object({
  code: z.custom<WarningCode>(
    (code) => typeof code === "string" && Object.hasOwn(WARNINGS, code),
    "not a warning of ours",
  ),
  facts: z.record(
    z.string().max(64),
    z.union([z.string().max(512), z.number(), z.boolean(), z.array(z.string().max(256)).max(64)]),
  ),
});

/** Numbers, states and names, as in an error's detail. */
export type Warning = z.infer<typeof warning>;

/** The warnings of several sessions of one run: the last one of each code. */
export function mergeWarnings(before: readonly Warning[], more: readonly Warning[]): Warning[] {
  const byCode = new Map([...before, ...more].map((each) => [each.code, each]));
  return [...byCode.values()].slice(0, MAX_WARNINGS);
}
