/**
 * Whether the owner's policy allows a request, and what it leaves of it (docs/policy.md, "How it is decided"). A pure
 * function of the policy, the request and the time; asked again every minute of a session with a later time.
 */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Limits, Operation } from "@sallyport/shared/schema/operations.ts";
import {
  type AllowRule,
  isReadRule,
  type MssqlConnection,
  type MssqlRule,
  type Policy,
  splitAddress,
  type TableRule,
} from "@sallyport/shared/schema/policy.ts";
import type { Grant } from "../connectors/connector.ts";
import { hasName, isSystemSchema, matchTable, splitTable } from "../names.ts";
import { type Change, changeGrant, isChange, limitsOfRule, whyChangeMisused } from "./change.ts";
import { RAW_DAYS_AT_MOST } from "./conflicts.ts";
import { sameValue, smallestLimits } from "./limits.ts";
import { addDays, dayIn, isWithin, timeIn } from "./local-time.ts";

/** What the policy decides about; a ping needs none. */
export type Judged = Exclude<Operation, { op: "agent.ping" }>;
type OnTables = Exclude<Judged, Change | { op: "sql.query" }>;

export interface PolicyRequest {
  readonly connection: string;
  readonly operation: Judged;
  readonly limits: Limits;
  readonly user: string;
  readonly signIn: string;
  /** Of a credential that the customer sealed: while it is `closed` nobody knows its login, and it is asked again. */
  readonly sealed?: "closed" | "opened";
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
  /** For the journal: the table, or the statement's name; a schema of all has none. */
  readonly object: string | undefined;
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

  const named = nameOf(operation);
  if (named !== undefined) {
    const parts = splitTable(named);
    if (parts === undefined) return denied("Only tables named as schema.table can be allowed.");
    if (isSystemSchema(parts[0])) return denied("Nothing in sys and INFORMATION_SCHEMA is ever allowed.");
    const against = connection.rules.find((rule) => "deny" in rule && matches(rule.tables, named));
    if (against !== undefined) return denied(`A rule denies ${named}.`, against.id);
  }
  const inForce = connection.rules.filter((rule) => isInForce(rule, connection, request.caller, now));
  for (const rule of inForce) {
    const grant = "deny" in rule ? undefined : grantOf(rule, operation, inForce);
    if (grant === undefined) continue;
    const misuse = isChange(operation) ? changeMisuse(grant, operation) : whyMisused(rule, operation);
    if (misuse !== undefined) return { deny: misuse };
    const { database, tls, refuseOverPrivileged } = connection;
    return {
      allow: {
        rule: rule.id,
        grant,
        target: { ...splitAddress(connection.address), database, tls, refuseOverPrivileged },
        limits: smallestLimits([policy.limits, connection.limits, limitsOfRule(rule as AllowRule)], request.limits),
        object: objectOf(operation),
      },
    };
  }
  return denied(`No rule allows ${describe(operation)}.`);
}

/** What holds for the connection as a whole: who signs in, how, and when. */
function whyClosed(connection: MssqlConnection, request: PolicyRequest, now: Date): string | undefined {
  if (connection.credential === "sealed" && request.sealed === undefined) {
    return "The policy takes only a credential that was sealed to this agent.";
  }
  const login = request.sealed === "closed" ? undefined : whyNoLogin(connection, request);
  if (login !== undefined) return login;
  const { allow, timezone } = connection.hours ?? {};
  if (allow === undefined || timezone === undefined) return undefined;
  const time = timeIn(timezone, now);
  return allow.some((range) => isWithin(range, time)) ? undefined : "The policy allows no sessions at this hour.";
}

function whyNoLogin(connection: MssqlConnection, { user, signIn }: PolicyRequest): string | undefined {
  // Exact, not folded: SQL logins differ by case under some collations, and an owner writes the login they mean.
  if (!connection.logins.includes(user)) return "The policy does not list this login.";
  if ((connection.signIn as readonly string[]).includes(signIn)) return undefined;
  return `The policy does not allow sign-in by ${signIn}.`;
}

const matches = (patterns: readonly string[], table: string): boolean =>
  patterns.some((pattern) => matchTable(pattern, table) !== undefined);

/** The word of `allow` that each operation on tables needs. */
export const TABLE_WORDS = { "sql.table": "table", "sql.changes": "changes", "sql.schema": "schema" } as const;

/** What a rule gives to this operation, if it is about it at all. */
function grantOf(rule: AllowRule, operation: Judged, inForce: readonly MssqlRule[]): Grant | undefined {
  if (isChange(operation)) return changeGrant(rule, operation);
  if (!isReadRule(rule)) return undefined;
  if ("tables" in rule) return operation.op === "sql.query" ? undefined : tableGrant(rule, operation, inForce);
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

function tableGrant(rule: TableRule, operation: OnTables, inForce: readonly MssqlRule[]): Grant | undefined {
  const { op, table } = operation;
  if (!rule.allow.includes(TABLE_WORDS[op])) return undefined;
  const fits = table === undefined ? [] : rule.tables.map((pattern) => matchTable(pattern, table));
  if (table !== undefined && fits.every((fit) => fit === undefined)) return undefined;
  if (op === "sql.schema") return { kind: "schema", rule: rule.id, ...shownBy(inForce) };
  if (!coversColumns(rule.columns, operation.columns)) return undefined;
  return { kind: "table", rule: rule.id, columns: rule.columns, named: fits.includes("name") };
}

/** A list of what there is shows what any rule with `schema` shows, each table as the first such rule has it. */
function shownBy(rules: readonly MssqlRule[]): Pick<Extract<Grant, { kind: "schema" }>, "shown" | "hidden"> {
  return {
    shown: rules.flatMap((rule) =>
      isReadRule(rule) && "tables" in rule && rule.allow.includes("schema")
        ? [{ tables: rule.tables, columns: rule.columns }]
        : [],
    ),
    hidden: rules.flatMap((rule) => ("deny" in rule ? rule.tables : [])),
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
  const isRaw = isReadRule(rule) && !("tables" in rule) && !("name" in rule);
  return !isRaw || rule.until <= addDays(today, RAW_DAYS_AT_MOST);
}

/** A statement's parameters are exactly the declared ones, with values that the owner lists where they list any. */
function whyMisused(rule: MssqlRule, operation: Judged): Denied | undefined {
  if (operation.op !== "sql.query" || !("sql" in rule)) return undefined;
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

function changeMisuse(grant: Grant, operation: Change): Denied | undefined {
  const misuse = whyChangeMisused(grant, operation);
  return misuse === undefined || misuse.code !== "policy.denied" ? misuse : { ...misuse, rule: grant.rule };
}

function describe(operation: Judged): string {
  if (operation.op === "sql.call") return `calling ${operation.procedure}`;
  if (operation.op === "sql.write") return `${operation.action} of these columns in ${operation.table}`;
  if (operation.op === "sql.query")
    return operation.raw === undefined ? `the statement ${operation.statement}` : "raw SQL";
  if (operation.op === "sql.schema") return `showing ${operation.table ?? "what there is"}`;
  const columns = operation.columns === "*" ? "every column" : "these columns";
  return `reading ${operation.op === "sql.changes" ? "changes in " : ""}${columns} of ${operation.table}`;
}

/** The table or procedure that a request names. */
function nameOf(operation: Judged): string | undefined {
  if (operation.op === "sql.query") return undefined;
  return operation.op === "sql.call" ? operation.procedure : operation.table;
}

const objectOf = (operation: Judged): string | undefined =>
  operation.op === "sql.query" ? (operation.statement ?? "raw") : nameOf(operation);
