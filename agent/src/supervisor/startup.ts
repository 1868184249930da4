/** What a supervisor reads and checks before it serves: refusals by environment and rights, orphans, budgets of today. */
import { existsSync } from "node:fs";
import { POLICY_DEFAULTS } from "@sallyport/shared/schema/policy.ts";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { type Journal, recentLines } from "../journal/journal.ts";
import type { ReadLine } from "../journal/read-line.ts";
import { type Pinned, readTextIfAny, type StatePaths, writeFileDurably } from "../state.ts";
import { dailyLimitOf, rowsKey, rowsTaken } from "./daily-rows.ts";
import { isChangeable } from "./files.ts";
import { changeableFiles, ownFaults } from "./files-windows.ts";
import { newUsage, type Usage, usage } from "./login-breaker.ts";

const isWindows = process.platform === "win32";

/** @throws ConfigError where somebody else than an administrator, or this account, can change policy or program */
function refuseOnWindows(files: readonly string[]): void {
  const faults = ownFaults(files);
  if (faults.length > 0)
    throw new ConfigError(`${faults.join("; ")} (--insecure-files starts anyway, for a demonstration)`);
}

/** @throws ConfigError when this account can change its own policy or program. Answers what could not be checked. */
function refuseOwnFiles(files: readonly string[]): readonly string[] {
  const verdicts = files.map((file) => ({ file, changeable: isChangeable(file) }));
  const own = verdicts.filter(({ changeable }) => changeable === true).map(({ file }) => file);
  if (own.length > 0) {
    throw new ConfigError(
      `this account can change ${own.join(" and ")}: let another account own it and run the agent without rights to it ` +
        "(--insecure-files starts anyway, for a demonstration)",
    );
  }
  return verdicts.filter(({ changeable }) => changeable === undefined).map(({ file }) => file);
}

/** Checks who may change policy and program (folders and files, with all that lies above them), unless the owner said that it does not matter. @throws ConfigError */
export function checkFiles(paths: StatePaths, program: readonly string[], insecureFiles: boolean, log: Logger): void {
  const policyFile = paths.policy;
  if (!existsSync(policyFile))
    throw new ConfigError(`${policyFile} is missing: \`sallyport policy init\` writes one that denies everything`);
  if (insecureFiles) {
    log.warn("--insecure-files: this account may change its own policy and program");
    return;
  }
  if (isWindows) {
    refuseOnWindows([policyFile, ...program]);
    return;
  }
  const unchecked = refuseOwnFiles([policyFile, ...program]);
  if (isChangeable(paths.control) === true) {
    log.warn(
      { folder: paths.control },
      "this account can take the owner's lock away: let another account own the folder",
    );
  }
  if (unchecked.length > 0) log.warn({ files: unchecked }, "rights are not checked on this system");
}

/** Why a policy that was put there while the agent runs is not to be believed; undefined where it is, or nobody can tell. */
export function whyUntrusted(policyFile: string): string | undefined {
  if (!existsSync(policyFile)) return undefined;
  if (isWindows) return changeableFiles([policyFile]).join("; ") || undefined;
  return isChangeable(policyFile) === true
    ? `this account can change ${policyFile}: let another account own it`
    : undefined;
}

/** What enrolment pinned, which agent.yaml must agree with. @throws ConfigError */
export function requirePinned(pinned: Pinned | undefined, config: AgentConfig): Pinned {
  if (pinned === undefined) throw new ConfigError("pinned.json is missing: enrol with `sallyport enroll`");
  const { agent, origin, tenant, site } = config;
  if (pinned.agent !== agent || pinned.origin !== origin || pinned.tenant !== tenant || pinned.site !== site) {
    throw new ConfigError("agent.yaml names another agent, origin, tenant or site than was enrolled: enrol again");
  }
  return pinned;
}

/** No session runs longer, so no open `request` line is older. */
const LONGEST_SESSION_MS = 2 * 86_400_000;

export interface PastDay {
  /** Bytes sent since midnight UTC, by connection; what was reserved where nobody said how many. */
  readonly sentToday: ReadonlyMap<string, number>;
  /** Rows written since then, by connection, rule and limit (`rowsKey`), in the same way. */
  readonly writtenToday: ReadonlyMap<string, number>;
  /** Requests whose `end` line is missing: the agent stopped during them. */
  readonly orphans: readonly ReadLine[];
}

/** Reads the journal's recent lines once. */
export function readPastDay(folder: string, nowMs: number): PastDay {
  const midnightMs = Math.floor(nowMs / 86_400_000) * 86_400_000;
  const sentToday = new Map<string, number>();
  const writtenToday = new Map<string, number>();
  const open = new Map<string, ReadLine>();
  const charge = (connection: string | undefined, bytes = 0): void => {
    if (connection !== undefined) sentToday.set(connection, (sentToday.get(connection) ?? 0) + bytes);
  };
  const chargeRows = (request: ReadLine | undefined, end: ReadLine | undefined): void => {
    if (request?.connection === undefined || request.rule === undefined || request.rowsReserved === undefined) return;
    const key = rowsKey(request.connection, request.rule, dailyLimitOf(request));
    writtenToday.set(key, (writtenToday.get(key) ?? 0) + rowsTaken(request, end));
  };
  for (const line of recentLines(folder, nowMs - LONGEST_SESSION_MS)) {
    if (line.event === "request" && line.request !== undefined) open.set(line.request, line);
    if (line.event !== "end" || line.request === undefined) continue;
    const begun = open.get(line.request);
    open.delete(line.request);
    if (Date.parse(line.at) < midnightMs) continue;
    charge(line.connection, line.bytesOut ?? line.bytesAtMost ?? begun?.bytesReserved);
    chargeRows(begun, line);
  }
  const orphans = [...open.values()];
  for (const orphan of orphans) {
    charge(orphan.connection, orphan.bytesReserved);
    chargeRows(orphan, undefined);
  }
  return { sentToday, writtenToday, orphans };
}

/** Gives each orphan the `end` line that the crash took. */
export function endOrphans(journal: Journal, orphans: readonly ReadLine[]): void {
  for (const { request, run, pull, connection } of orphans) {
    journal.append({
      event: "end",
      code: "agent.interrupted",
      ...(request === undefined ? {} : { request }),
      ...(run === undefined ? {} : { run }),
      ...(pull === undefined ? {} : { pull }),
      ...(connection === undefined ? {} : { connection }),
    });
  }
}

/** `usage.json`, made anew where there is none. */
export function loadUsage(paths: StatePaths): Usage {
  const text = readTextIfAny(paths.usage);
  if (text !== undefined) return usage.parse(JSON.parse(text));
  const made = newUsage();
  storeUsage(paths, made);
  return made;
}

export const storeUsage = (paths: StatePaths, state: Usage): void =>
  writeFileDurably(paths.usage, `${JSON.stringify(state)}\n`);

/** The policy's `sessionsPerMinute`, or its default. */
export const sessionsPerMinute = (limits: { readonly sessionsPerMinute?: number | undefined } | undefined): number =>
  limits?.sessionsPerMinute ?? POLICY_DEFAULTS.sessionsPerMinute;
