/** What an executor says of its request, held against the policy that it was given. Its word alone counts for nothing. */
import {
  type AllowRule,
  isCallRule,
  isWriteRule,
  type MssqlConnection,
  POLICY_DEFAULTS,
  type Policy,
} from "@sallyport/shared/schema/policy.ts";
import { matchTable } from "../names.ts";
import { type RequestReport, SENDING_STEP_BYTES } from "../pipe/messages.ts";
import { limitsOfRule } from "../policy/change.ts";
import { TABLE_WORDS } from "../policy/decide.ts";
import { findConnection, serverOf } from "../policy/find-connection.ts";
import { type StatedLimits, smallestLimits } from "../policy/limits.ts";
import type { ConnectionLimits } from "./budgets.ts";
import { dailyLimitOf, type Writing } from "./daily-rows.ts";
import { isOfRule } from "./plausible-directory.ts";

/** What a refused session, and a ping, may take. */
const SHORT_SECONDS = 60;
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const ASKS_ALL = { rows: UNLIMITED, bytes: UNLIMITED, seconds: UNLIMITED, cellBytes: UNLIMITED, rowBytes: UNLIMITED };

/**
 * Whether a report can be true: a denial has its code, a ping touches nothing, and what is allowed is an object of the
 * rule it names, which no deny rule covers, within the owner's limits.
 */
export function isPlausible(report: RequestReport, ping: boolean, policy: Policy): boolean {
  if (report.decision === "deny" || report.op === "agent.ping") return isShort(report);
  if (ping || report.connection === undefined || report.bytes === undefined) return false;
  // A login that is sealed is named once it was opened, and then only.
  if ((report.login === undefined) !== (report.sealed === true)) return false;
  const connection = findConnection(policy, report.connection);
  if (connection === undefined || (connection.credential === "sealed" && report.sealed !== true)) return false;
  if (connection.kind === "activeDirectory") {
    const rule = allowRuleOf(connection.rules, report);
    return (
      rule !== undefined &&
      isWithinLimits(report, policy, connection, rule.limits) &&
      isOfRule(report, rule, connection)
    );
  }
  const rule = allowRuleOf(connection.rules, report);
  return (
    rule !== undefined &&
    isWithinLimits(report, policy, connection, limitsOfRule(rule)) &&
    concerns(report, rule, connection)
  );
}

/** The rule that it names, where that allows something to its caller. */
function allowRuleOf<Rule extends { readonly id: string }>(
  rules: readonly Rule[],
  { rule: id, caller }: RequestReport,
): Exclude<Rule, { deny: unknown }> | undefined {
  const rule = rules.find((each) => each.id === id);
  if (rule === undefined || "deny" in rule) return undefined;
  const { callers } = rule as { readonly callers?: readonly string[] };
  return callers === undefined || callers.includes(caller) ? (rule as Exclude<Rule, { deny: unknown }>) : undefined;
}

function isWithinLimits(
  { op, seconds, bytes = 0, rows }: RequestReport,
  policy: Policy,
  connection: Policy["connections"][string],
  stated: StatedLimits | undefined,
): boolean {
  const most = smallestLimits([policy.limits, connection.limits, stated], ASKS_ALL);
  if (seconds > most.seconds || bytes > most.bytes) return false;
  return op !== "sql.write" || (rows !== undefined && rows <= most.rows);
}

/** A denial, or a ping: neither touches anything, so neither has anything to unseal. */
function isShort({ decision, code, connection, sealed, seconds }: RequestReport): boolean {
  if (sealed !== undefined || seconds > SHORT_SECONDS) return false;
  return decision === "deny" ? code !== undefined : connection === undefined;
}

/** Whether what was done is of the rule: its statement, raw SQL, its procedure, or a table that it covers; no deny rule does. */
function concerns(
  { op, action, object, effect }: RequestReport,
  rule: AllowRule,
  connection: MssqlConnection,
): boolean {
  const covers = (patterns: readonly string[]): boolean =>
    patterns.some((pattern) => object !== undefined && matchTable(pattern, object) !== undefined);
  const isDenied = connection.rules.some((each) => "deny" in each && covers(each.tables));
  if (isCallRule(rule)) return op === "sql.call" && effect === rule.effect && covers([rule.procedure]) && !isDenied;
  if (isWriteRule(rule)) {
    return (
      op === "sql.write" &&
      action !== undefined &&
      (rule.allow as readonly string[]).includes(action) &&
      covers(rule.tables) &&
      !isDenied
    );
  }
  if (!("tables" in rule)) return op === "sql.query" && object === ("name" in rule ? rule.name : undefined);
  if (!(op in TABLE_WORDS) || !rule.allow.includes(TABLE_WORDS[op as keyof typeof TABLE_WORDS])) return false;
  if (object === undefined) return op === "sql.schema";
  return covers(rule.tables) && !isDenied;
}

/**
 * The bytes that an executor says it sent: who announced a step more has sent what was announced before, and nobody sends
 * more than is reserved.
 */
export const credibleBytes = (said: number, announced: number, reserved = 0): number =>
  Math.min(reserved, Math.max(said, announced - SENDING_STEP_BYTES));

/** What a request writes as its rule's day counts it; undefined for what is not counted. */
export function writingOf(policy: Policy, connection: string, report: RequestReport): Writing | undefined {
  const { rows, rule: id = "" } = report;
  if (rows === undefined) return undefined;
  const limit = dailyLimitOf(report);
  const of = findConnection(policy, connection);
  const named = (rule: { readonly id: string }): boolean => rule.id === id;
  const stated = of?.kind === "activeDirectory" ? of.rules.find(named) : of?.rules.find(named);
  const limits = stated !== undefined && "limits" in stated ? stated.limits : undefined;
  const perDay = (limits as Partial<Record<typeof limit, number>> | undefined)?.[limit];
  return { rule: id, limit, rows, perDay };
}

/** The owner's limits of one connection, with the defaults where nothing is said. */
export function limitsOf(policy: Policy, connection: string): ConnectionLimits {
  const of = findConnection(policy, connection);
  const stated = of?.limits;
  const failedLogins = stated?.failedLogins ?? POLICY_DEFAULTS.failedLogins[of?.kind ?? "mssql"];
  return {
    server: serverOf(policy, connection),
    sessions: stated?.sessions ?? POLICY_DEFAULTS.sessions,
    bytesPerDay: stated?.bytesPerDay ?? POLICY_DEFAULTS.bytesPerDay,
    failedLogins: { count: failedLogins.count, perMs: failedLogins.seconds * 1000 },
  };
}
