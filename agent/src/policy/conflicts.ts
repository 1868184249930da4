/**
 * What a policy's rules may not say together. Looks at the value as it was read, so that these mistakes are reported
 * in the same answer as the misspelt keys.
 */

import { isSystemSchema } from "../names.ts";
import { addDays, dayIn } from "./local-time.ts";

export const RAW_DAYS_AT_MOST = 30;

export interface Conflict {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Loose = Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Loose =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const allows = (rule: Loose, verb: string): boolean => Array.isArray(rule.allow) && rule.allow.includes(verb);

export function conflicts(policy: unknown, now: Date): Conflict[] {
  if (!isRecord(policy) || !isRecord(policy.connections)) return [];
  return Object.entries(policy.connections).flatMap(([name, connection]) => {
    if (!isRecord(connection) || !Array.isArray(connection.rules)) return [];
    const rules = connection.rules.map((rule) => (isRecord(rule) ? rule : {}));
    const zone = isRecord(connection.hours) ? connection.hours.timezone : undefined;
    const found = [
      ...repeated(rules, "id", "another rule of this connection has this id"),
      ...repeated(rules, "name", "another statement of this connection has this name"),
      ...systemTables(rules),
      ...rawRules(rules, typeof zone === "string" ? zone : "UTC", now),
    ];
    return found.map(({ path, message }) => ({ path: ["connections", name, "rules", ...path], message }));
  });
}

function repeated(rules: readonly Loose[], key: string, message: string): Conflict[] {
  const seen = new Set<unknown>();
  return rules.flatMap((rule, index) => {
    const value = rule[key];
    if (typeof value !== "string") return [];
    if (seen.has(value)) return [{ path: [index, key], message }];
    seen.add(value);
    return [];
  });
}

function systemTables(rules: readonly Loose[]): Conflict[] {
  return rules.flatMap((rule, index) =>
    (Array.isArray(rule.tables) && Array.isArray(rule.allow) ? rule.tables : []).flatMap((table, position) =>
      typeof table === "string" && isSystemSchema(table.split(".")[0] ?? "")
        ? [{ path: [index, "tables", position], message: "sys and INFORMATION_SCHEMA are never allowed" }]
        : [],
    ),
  );
}

/** With raw SQL the login's rights are the only wall: the agent does not parse T-SQL, so finer rules would be a promise it cannot keep. */
function rawRules(rules: readonly Loose[], timezone: string, now: Date): Conflict[] {
  const raw = rules.flatMap((rule, index) => (allows(rule, "raw") ? [{ rule, index }] : []));
  if (raw.length === 0) return [];
  const finer = rules.flatMap((rule, index) => {
    if (rule.deny !== undefined)
      return [{ path: [index, "deny"], message: "a `raw` rule stands beside it: raw SQL gets around a deny" }];
    if (Array.isArray(rule.columns))
      return [{ path: [index, "columns"], message: "a `raw` rule stands beside it: raw SQL gets around column lists" }];
    return [];
  });
  const late = raw.flatMap(({ rule, index }) =>
    typeof rule.until === "string" && isLate(rule.until, timezone, now)
      ? [{ path: [index, "until"], message: `a raw rule ends within ${RAW_DAYS_AT_MOST} days` }]
      : [],
  );
  return [...finer, ...late];
}

function isLate(until: string, timezone: string, now: Date): boolean {
  try {
    return until > addDays(dayIn(timezone, now), RAW_DAYS_AT_MOST);
  } catch {
    return false; // an unknown time zone is reported where it stands
  }
}
