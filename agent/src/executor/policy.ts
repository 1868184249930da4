/**
 * Whether the owner's policy allows a request, and what it leaves of it (docs/policy.md, "How it is decided"). A pure
 * function of the policy, the request and the time; asked again every minute of a session with a later time.
 */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Limits, SqlQuery, SqlTable } from "@sallyport/shared/schema/operations.ts";
import {
  type AllowRule,
  type MssqlConnection,
  type MssqlRule,
  type Policy,
  splitAddress,
} from "@sallyport/shared/schema/policy.ts";
import type { Grant } from "../connectors/connector.ts";
import { smallestLimits } from "./limits.ts";
import { addDays, dayIn, isWithin, timeIn } from "./local-time.ts";
import { hasName, isSystemSchema, matchTable, splitTable } from "./names.ts";
import { RAW_DAYS_AT_MOST } from "./policy-conflicts.ts";

export { digestPolicy, parsePolicy } from "./policy-file.ts";

export interface PolicyRequest {
  readonly connection: string;
  readonly operation: SqlTable | SqlQuery;
  readonly limits: Limits;
  readonly user: string;
  readonly signIn: string;
  /** `key:…`, `app:…` or `pull:…`. */
  readonly caller: string;
}

export interface Allowed {
  /** The first rule, in file order, that allows the whole request. */
  readonly rule: string;
  readonly grant: Grant;
  /** What of a connector's target the policy decides; `tls.ca` is a path. */
  readonly target: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly tls: MssqlConnection["tls"];
    readonly refuseOverPrivileged: boolean;
  };
  readonly limits: Limits;
  /** For the journal: the table, or the statement's name. */
  readonly object: string;
}

export interface Denied {
  readonly code: ErrorCode;
  /** The deny rule that decided it, where one did. */
  readonly rule?: string;
  /** A sentence for people. */
  readonly reason: string;
}

export type Decision = { readonly allow: Allowed } | { readonly deny: Denied };

const denied = (reason: string, rule?: string): Decision => ({
  deny: { code: "policy.denied", reason, ...(rule === undefined ? {} : { rule }) },
});

/** Default deny; a matching deny beats every allow; one rule must allow the whole request. */
export function decide(policy: Policy, request: PolicyRequest, now: Date): Decision {
  const { operation } = request;
  const connection = Object.hasOwn(policy.connections, request.connection)
    ? policy.connections[request.connection]
    : undefined;
  if (connection === undefined) {
    return { deny: { code: "connection.unknown", reason: `The policy has no connection ${request.connection}.` } };
  }
  const closed = whyClosed(connection, request, now);
  if (closed !== undefined) return denied(closed);

  if (operation.op === "sql.table") {
    const parts = splitTable(operation.table);
    if (parts === undefined) return denied("Only tables named as schema.table can be allowed.");
    if (isSystemSchema(parts[0])) return denied("sys and INFORMATION_SCHEMA are never readable.");
    const against = connection.rules.find((rule) => "deny" in rule && matches(rule.tables, operation.table));
    if (against !== undefined) return denied(`A rule denies ${operation.table}.`, against.id);
  }
  for (const rule of connection.rules) {
    const grant = "deny" in rule ? undefined : grantOf(rule, operation);
    if (grant === undefined || !isInForce(rule, connection, request.caller, now)) continue;
    const misuse = whyMisused(rule, operation);
    if (misuse !== undefined) return { deny: misuse };
    const { database, tls, refuseOverPrivileged } = connection;
    return {
      allow: {
        rule: rule.id,
        grant,
        target: { ...splitAddress(connection.address), database, tls, refuseOverPrivileged },
        limits: smallestLimits([policy.limits, connection.limits, (rule as AllowRule).limits], request.limits),
        object: objectOf(operation),
      },
    };
  }
  return denied(`No rule allows ${describe(operation)}.`);
}

/** What holds for the connection as a whole: who signs in, how, and when. */
function whyClosed(connection: MssqlConnection, request: PolicyRequest, now: Date): string | undefined {
  // Exact, not folded: SQL logins differ by case under some collations, and an owner writes the login they mean.
  if (!connection.logins.includes(request.user)) return "The policy does not list this login.";
  if (!(connection.signIn as readonly string[]).includes(request.signIn)) {
    return `The policy does not allow sign-in by ${request.signIn}.`;
  }
  const { allow, timezone } = connection.hours ?? {};
  if (allow === undefined || timezone === undefined) return undefined;
  const time = timeIn(timezone, now);
  return allow.some((range) => isWithin(range, time)) ? undefined : "The policy allows no sessions at this hour.";
}

const matches = (patterns: readonly string[], table: string): boolean =>
  patterns.some((pattern) => matchTable(pattern, table) !== undefined);

/** What a rule gives to this operation, if it is about it at all. */
function grantOf(rule: AllowRule, operation: SqlTable | SqlQuery): Grant | undefined {
  if ("tables" in rule) {
    if (operation.op !== "sql.table" || !rule.allow.includes("table")) return undefined;
    const fits = rule.tables.map((pattern) => matchTable(pattern, operation.table));
    if (!fits.some((fit) => fit !== undefined) || !coversColumns(rule.columns, operation.columns)) return undefined;
    return { kind: "table", rule: rule.id, columns: rule.columns, named: fits.includes("name") };
  }
  if (operation.op !== "sql.query") return undefined;
  if (!("name" in rule)) return operation.raw === undefined ? undefined : { kind: "raw", rule: rule.id };
  if (operation.statement !== rule.name) return undefined;
  const parameters = Object.entries(rule.parameters).map(([name, { type }]) => [name, type] as const);
  return {
    kind: "statement",
    rule: rule.id,
    sql: rule.sql,
    parameters: Object.fromEntries(parameters),
    returns: rule.returns,
  };
}

/** `*` asks for every column that the table has, so only a rule for every column allows it: nothing is cut silently. */
function coversColumns(allowed: "*" | readonly string[], asked: "*" | readonly string[]): boolean {
  if (allowed === "*") return true;
  return asked !== "*" && asked.every((column) => hasName(allowed, column));
}

function isInForce(rule: MssqlRule, connection: MssqlConnection, caller: string, now: Date): boolean {
  if ("deny" in rule) return true;
  if (rule.callers !== undefined && !rule.callers.includes(caller)) return false;
  if (rule.until === undefined) return true;
  const today = dayIn(connection.hours?.timezone ?? "UTC", now);
  if (rule.until < today) return false;
  const isRaw = !("tables" in rule) && !("name" in rule);
  return !isRaw || rule.until <= addDays(today, RAW_DAYS_AT_MOST);
}

/** A statement's parameters are exactly the declared ones, with values that the owner lists where they list any. */
function whyMisused(rule: MssqlRule, operation: SqlTable | SqlQuery): Denied | undefined {
  if (operation.op !== "sql.query" || !("parameters" in rule)) return undefined;
  const given = operation.parameters;
  const surplus = Object.keys(given).find((name) => !Object.hasOwn(rule.parameters, name));
  if (surplus !== undefined) return { code: "request.invalid", reason: `The statement has no parameter @${surplus}.` };
  for (const [name, declared] of Object.entries(rule.parameters)) {
    if (!Object.hasOwn(given, name)) {
      return { code: "request.invalid", reason: `The statement's parameter @${name} has no value.` };
    }
    if ("in" in declared && !declared.in.some((value) => sameValue(value, given[name]))) {
      return { code: "policy.denied", rule: rule.id, reason: `The policy does not list this value of @${name}.` };
    }
  }
  return undefined;
}

/** `2` and `"2"` are one value: 64-bit integers and decimals travel as text. */
const sameValue = (listed: unknown, given: unknown): boolean =>
  listed === null || given === null ? listed === given : String(listed) === String(given);

function describe(operation: SqlTable | SqlQuery): string {
  if (operation.op === "sql.table") {
    const columns = operation.columns === "*" ? "every column" : "these columns";
    return `reading ${columns} of ${operation.table}`;
  }
  return operation.raw === undefined ? `the statement ${operation.statement}` : "raw SQL";
}

const objectOf = (operation: SqlTable | SqlQuery): string =>
  operation.op === "sql.table" ? operation.table : (operation.statement ?? "raw");
