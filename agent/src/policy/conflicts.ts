/**
 * What a policy's rules may not say together. Looks at the value as it was read, so that these mistakes are reported
 * in the same answer as the misspelt keys.
 */

import { hasName, isSystemSchema } from "../names.ts";
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
      ...rules.flatMap(columnWords),
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

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];

/** What `columns`, `filterOn` and `mask` of one rule say about each other. */
function columnWords(rule: Loose, index: number): Conflict[] {
  const masked = isRecord(rule.mask) ? Object.keys(rule.mask) : [];
  const filtered = texts(rule.filterOn);
  const listed = Array.isArray(rule.columns) ? texts(rule.columns) : undefined;
  const unlisted = (name: string): boolean => listed !== undefined && !hasName(listed, name);
  const twice = masked.filter((name, at) => hasName(masked.slice(0, at), name));
  return [
    ...masked.filter(unlisted).map((name) => ({ path: [index, "mask", name], message: "not one of `columns`" })),
    ...twice.map((name) => ({ path: [index, "mask", name], message: "this column has a mask already" })),
    ...filtered.flatMap((name, at) => {
      const why = hasName(masked, name) ? "a masked column may not be compared" : "not one of `columns`";
      return hasName(masked, name) || unlisted(name)
        ? [{ path: [index, "filterOn", at], message: `${name}: ${why}` }]
        : [];
    }),
  ];
}

/** With raw SQL the login's rights are the only wall: the agent does not parse T-SQL, so finer rules would be a promise it cannot keep. */
function rawRules(rules: readonly Loose[], timezone: string, now: Date): Conflict[] {
  const raw = rules.flatMap((rule, index) => (allows(rule, "raw") ? [{ rule, index }] : []));
  if (raw.length === 0) return [];
  const finer = rules.flatMap((rule, index) => {
    if (rule.deny !== undefined)
      return [{ path: [index, "deny"], message: "a `raw` rule stands beside it: raw SQL gets around a deny" }];
    if (rule.mask !== undefined)
      return [{ path: [index, "mask"], message: "a `raw` rule stands beside it: raw SQL gets around masks" }];
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
