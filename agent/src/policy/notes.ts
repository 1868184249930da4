/**
 * What in a valid policy its owner should hear of: rules that are in each other's way, and what no rule can do. None of it
 * allows more than it says, so an agent runs with it.
 */
import type { Mask } from "@sallyport/shared/schema/mask.ts";
import type { Connection, MssqlConnection, MssqlRule, Policy, TableRule } from "@sallyport/shared/schema/policy.ts";
import { isReadRule, isWriteRule } from "@sallyport/shared/schema/policy.ts";
import { type DirectoryRule, isDirectoryWriteRule } from "@sallyport/shared/schema/policy-directory.ts";
import { maskOf } from "../masks/mask-of.ts";
import { hasName, matchTable, patternsMeet } from "../names.ts";
import type { Conflict } from "./conflicts.ts";
import { isAccountControl, isNeverFilteredBy, isNeverRead, isNeverWritten } from "./directory/never.ts";
import { dayIn } from "./local-time.ts";

type At = { readonly rule: number; readonly key: string; readonly message: string };

/** In the order of the file. */
export function policyNotes({ connections }: Policy, now: Date): Conflict[] {
  return Object.entries(connections).flatMap(([name, connection]) => {
    const found = [
      ...ended(connection, now),
      ...(connection.kind === "mssql" ? databaseNotes(connection) : connection.rules.flatMap(directoryNotes)),
    ];
    return found.map(({ rule, key, message }) => ({ path: ["connections", name, "rules", rule, key], message }));
  });
}

function ended({ rules, hours }: Connection, now: Date): At[] {
  const today = dayIn(hours?.timezone ?? "UTC", now);
  return rules.flatMap((rule, at) =>
    "until" in rule && rule.until !== undefined && rule.until < today
      ? [{ rule: at, key: "until", message: "this rule has ended and allows nothing" }]
      : [],
  );
}

function databaseNotes({ rules }: MssqlConnection): At[] {
  return [
    ...rules.flatMap((rule, at) => [
      ...denied(rule, at, rules),
      ...raw(rule, at),
      ...foundByMasked(rule, at, rules),
      ...writesHashed(rule, at, rules),
    ]),
    ...twoMasks(rules),
  ];
}

const tablesOf = (rule: MssqlRule): readonly string[] =>
  "tables" in rule ? rule.tables : "procedure" in rule ? [rule.procedure] : [];

/** Only where a deny covers all of it for certain: a name, or the very pattern. */
function denied(rule: MssqlRule, at: number, rules: readonly MssqlRule[]): At[] {
  if ("deny" in rule) return [];
  const names = tablesOf(rule);
  return names.flatMap((name) => {
    const against = rules.find((other) => "deny" in other && other.tables.some((pattern) => covers(pattern, name)));
    if (against === undefined) return [];
    const key = "procedure" in rule ? "procedure" : "tables";
    return [{ rule: at, key, message: `${name} is denied by ${against.id}: a deny beats every allow` }];
  });
}

const covers = (pattern: string, name: string): boolean =>
  name.includes("*") ? pattern.toLowerCase() === name.toLowerCase() : matchTable(pattern, name) !== undefined;

const raw = (rule: MssqlRule, at: number): At[] =>
  "allow" in rule && (rule.allow as readonly string[]).includes("raw")
    ? [{ rule: at, key: "allow", message: "raw SQL: the rights of the connection's logins are the only wall here" }]
    : [];

/** A row that is found, or not, by a value tells that value. */
function foundByMasked(rule: MssqlRule, at: number, rules: readonly MssqlRule[]): At[] {
  if ("deny" in rule || !isWriteRule(rule) || rule.key === undefined) return [];
  const masking = rules.filter(isTableRule).filter((other) => meet(rule.tables, other.tables));
  return masking.flatMap((other) =>
    rule
      .key!.filter((column) => maskOf(other.mask, column) !== undefined)
      .map((column) => ({
        ...{ rule: at, key: "key" },
        message: `rows are found by ${column}, which ${other.id} masks: whoever may write can try values`,
      })),
  );
}

/** Whoever writes a value and reads its hash may learn the hashes of all that a value can be: one key is for all columns. */
function writesHashed(rule: MssqlRule, at: number, rules: readonly MssqlRule[]): At[] {
  if ("deny" in rule || !isWriteRule(rule) || rule.allow.every((verb) => verb === "delete")) return [];
  const masking = rules.filter(isTableRule).filter((other) => meet(rule.tables, other.tables));
  return masking.flatMap((other) =>
    rule.columns
      .filter((column) => maskOf(other.mask, column) === "hash")
      .map((column) => ({
        ...{ rule: at, key: "columns" },
        message: `${column} is written, which ${other.id} hashes: whoever may write can have values of their choice hashed`,
      })),
  );
}

const isTableRule = (rule: MssqlRule): rule is TableRule => isReadRule(rule) && "tables" in rule;

const meet = (some: readonly string[], others: readonly string[]): boolean =>
  some.some((one) => others.some((other) => patternsMeet(one, other)));

/** Requests that two rules allow, with a column that each masks in its own way, are refused as `policy.ambiguous`. */
function twoMasks(rules: readonly MssqlRule[]): At[] {
  const tables = rules.flatMap((rule, at) => (isTableRule(rule) ? [{ rule, at }] : []));
  return tables.flatMap(({ rule, at }, index) =>
    tables.slice(0, index).flatMap(({ rule: earlier }) => {
      const words = rule.allow.some((word) => word !== "schema" && earlier.allow.includes(word));
      if (!words || !meetCallers(rule, earlier) || !meet(rule.tables, earlier.tables)) return [];
      const columns = [...Object.keys(rule.mask ?? {}), ...Object.keys(earlier.mask ?? {})];
      const differing = columns.find(
        (column) => listed(rule, column) && listed(earlier, column) && differ(rule, earlier, column),
      );
      if (differing === undefined) return [];
      const message = `${differing} leaves in another way by ${earlier.id}: requests that both allow are refused as policy.ambiguous`;
      return [{ rule: at, key: "tables", message }];
    }),
  );
}

const listed = ({ columns }: TableRule, column: string): boolean => columns === "*" || hasName(columns, column);
const word = (mask: Mask | undefined): string => JSON.stringify(mask ?? "as it is");
const differ = (a: TableRule, b: TableRule, column: string): boolean =>
  word(maskOf(a.mask, column)) !== word(maskOf(b.mask, column));
const meetCallers = (a: TableRule, b: TableRule): boolean =>
  a.callers === undefined || b.callers === undefined || a.callers.some((caller) => b.callers?.includes(caller));

function directoryNotes(rule: DirectoryRule, at: number): At[] {
  if ("deny" in rule) return [];
  const say = (
    key: string,
    names: "*" | readonly string[] | undefined,
    isNever: (name: string) => boolean,
    what: string,
  ) =>
    (names === undefined || names === "*" ? [] : names)
      .filter(isNever)
      .map((name) => ({ rule: at, key, message: `${name} is never ${what}, whatever a rule says` }));
  if (!isDirectoryWriteRule(rule)) {
    return [
      ...say("attributes", rule.attributes, isNeverRead, "read"),
      ...say("filterOn", rule.filterOn, isNeverFilteredBy, "filtered by"),
    ];
  }
  const control = (rule.attributes ?? []).filter(isAccountControl);
  return [
    ...say("attributes", rule.attributes, isNeverWritten, "written"),
    ...control.map((name) => ({
      rule: at,
      key: "attributes",
      message: `of ${name} only the bits 0x2 and 0x200 are written`,
    })),
  ];
}
