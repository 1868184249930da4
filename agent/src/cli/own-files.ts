/** What `sallyport status` reads beside the agent's own word. Each part is left out where this account may not read it. */
import { POLICY_DEFAULTS, type Policy } from "@sallyport/shared/schema/policy.ts";
import { counted } from "@sallyport/shared/terminal.ts";
import { loadConfig } from "../config.ts";
import { identityDays, rotatesAtDays } from "../doctor/keys.ts";
import { listFiles } from "../journal/files.ts";
import { recentLines } from "../journal/journal.ts";
import { type Today, todayOf } from "../journal/today.ts";
import { verifyJournal } from "../journal/verify.ts";
import { parsePolicy } from "../policy/file.ts";
import { findConnection } from "../policy/find-connection.ts";
import { type Grant, grantsOf, summaryOf } from "../policy/summary.ts";
import { readTextIfAny, type StatePaths } from "../state.ts";

/** A larger one is the doctor's: reading it would make this command slow. */
const CHECKED_AT_MOST_BYTES = 4 * 2 ** 20;

export interface OwnFiles {
  readonly grants: readonly Grant[] | null;
  readonly policyText: string | undefined;
  readonly keyDays: number | null;
  readonly keysText: readonly string[];
  readonly today: Today | null;
  readonly todayText: string;
  /** `chain ok`, or what is wrong with it; undefined where it was not looked at. */
  readonly chain: string | undefined;
}

export async function readOwnFiles(paths: StatePaths, nowMs: number): Promise<OwnFiles> {
  const now = new Date(nowMs);
  const policy = orNothing(() => parsePolicy(readTextIfAny(paths.policy) ?? "", now));
  const keyDays = await identityDays(paths, nowMs).catch(() => undefined);
  const lifeDays = orNothing(() => loadConfig(paths.config).identityDays);
  const midnightMs = Math.floor(nowMs / 86_400_000) * 86_400_000;
  const today = orNothing(() => todayOf(recentLines(paths.journal, midnightMs), nowMs));
  return {
    grants: policy === undefined ? null : grantsOf(policy, now),
    policyText: policy === undefined ? undefined : summaryOf(policy, now),
    keyDays: keyDays ?? null,
    keysText: keyDays === undefined ? [] : [keysText(keyDays, lifeDays)],
    today: today ?? null,
    todayText: today === undefined ? "the journal cannot be read by this account" : todayText(today, policy),
    chain: orNothing(() => chainOf(paths.journal)),
  };
}

/** Another account's files are none of this one's; whatever is wrong with them, the doctor says it. */
function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function keysText(days: number, lifeDays: number | undefined): string {
  if (lifeDays === undefined) return `identity ${days} d old`;
  const left = rotatesAtDays(lifeDays) - days;
  return `identity ${days} d old, ${left > 0 ? `rotates in ${left} d` : "to be rotated"}`;
}

function chainOf(folder: string): string | undefined {
  const bytes = listFiles(folder).reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > CHECKED_AT_MOST_BYTES) return undefined;
  const verdict = verifyJournal(folder);
  return verdict.ok ? "chain ok" : `CHAIN BROKEN at line ${verdict.seq}: sallyport journal verify`;
}

function todayText({ connections, denied }: Today, policy: Policy | undefined): string {
  const each = Object.entries(connections).map(([name, { sessions, bytes }]) => {
    const stated = policy === undefined ? undefined : findConnection(policy, name);
    const perDay = stated?.limits?.bytesPerDay ?? POLICY_DEFAULTS.bytesPerDay;
    return `${name} ${counted(sessions, "session")}, ${of(bytes, perDay)}`;
  });
  return [...(each.length === 0 ? ["no session"] : each), `denied ${denied}`].join(" · ");
}

/** `3.1 of 100 GiB`, `11 MiB of 100 GiB`. */
function of(bytes: number, most: number): string {
  const [used, all] = [amount(bytes), amount(most)];
  return used.unit === all.unit
    ? `${used.value} of ${all.value} ${all.unit}`
    : `${used.value} ${used.unit} of ${all.value} ${all.unit}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** One decimal below ten, where there is one. */
function amount(bytes: number): { readonly value: string; readonly unit: string } {
  let [value, unit] = [bytes, 0];
  for (; value >= 1023.5 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  const shown = value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));
  return { value: shown, unit: UNITS[unit] ?? "B" };
}
