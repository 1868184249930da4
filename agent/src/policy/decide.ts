/**
 * Whether the owner's policy allows a request, and what it leaves of it (docs/policy.md, "How it is decided"). A pure
 * function of the policy, the request and the time; asked again every minute of a session with a later time.
 */
import { type DirectoryOperation, isDirectoryOperation } from "@sallyport/shared/schema/directory-operations.ts";
import type { Limits, Operation } from "@sallyport/shared/schema/operations.ts";
import { type Connection, type MssqlConnection, type Policy, splitAddress } from "@sallyport/shared/schema/policy.ts";
import type { DirectoryConnection } from "@sallyport/shared/schema/policy-directory.ts";
import type { Grant } from "../connectors/connector.ts";
import type { DirectoryGrant } from "../connectors/directory-grant.ts";
import { limitsOfRule } from "./change.ts";
import { RAW_DAYS_AT_MOST } from "./conflicts.ts";
import { judgeDirectory } from "./directory/judge.ts";
import { findConnection } from "./find-connection.ts";
import { countedLimits, type StatedLimits, smallestLimits } from "./limits.ts";
import { addDays, dayIn, isInRange, timeIn } from "./local-time.ts";
import { type Denied, settle } from "./ruling.ts";
import { describeSql, judgeSql, type SqlOperation } from "./sql-judge.ts";
import { disagree } from "./table-rules.ts";

export type { Denied } from "./ruling.ts";
export { TABLE_WORDS } from "./table-rules.ts";

/** What the policy decides about; a ping needs none. */
export type Judged = Exclude<Operation, { op: "agent.ping" }>;

export interface PolicyRequest<Asked extends Judged = Judged> {
  readonly connection: string;
  readonly operation: Asked;
  readonly limits: Limits;
  readonly user: string;
  readonly signIn: string;
  /** Of a credential that the customer sealed: while it is `closed` nobody knows its login, and it is asked again. */
  readonly sealed?: "closed" | "opened";
  /** `key:…`, `app:…` or `pull:…`. */
  readonly caller: string;
}

interface EveryAllowed {
  /** The first rule, in file order, that allows the whole request. */
  readonly rule: string;
  readonly limits: Limits;
}

/** What of a connector's target the policy decides; `tls.ca` is a path. */
interface Place<Tls> {
  readonly host: string;
  readonly port: number;
  readonly tls: Tls;
  readonly refuseOverPrivileged: boolean;
}

export interface Allowed extends EveryAllowed {
  readonly grant: Grant;
  readonly target: Place<MssqlConnection["tls"]> & { readonly database: string };
}

export interface AllowedDirectory extends EveryAllowed {
  readonly grant: DirectoryGrant;
  readonly target: Place<DirectoryConnection["tls"]>;
}

export type Decision<Yes = Allowed | AllowedDirectory> = { readonly allow: Yes } | { readonly deny: Denied };

const denied = (reason: string, code: Denied["code"] = "policy.denied"): { readonly deny: Denied } => ({
  deny: { code, reason },
});

/** Default deny; a matching deny beats every allow; one rule must allow the whole request. */
export function decide(policy: Policy, request: PolicyRequest<SqlOperation>, now: Date): Decision<Allowed>;
export function decide(
  policy: Policy,
  request: PolicyRequest<DirectoryOperation>,
  now: Date,
): Decision<AllowedDirectory>;
export function decide(policy: Policy, request: PolicyRequest, now: Date): Decision;
export function decide(policy: Policy, request: PolicyRequest, now: Date): Decision {
  const { operation } = request;
  const connection = findConnection(policy, request.connection);
  if (connection === undefined) {
    return denied(`The policy has no connection ${request.connection}.`, "connection.unknown");
  }
  const closed = whyClosed(connection, request, now);
  if (isDirectoryOperation(operation) && connection.kind === "activeDirectory") {
    return closed === undefined ? decideDirectory(policy, connection, { ...request, operation }, now) : denied(closed);
  }
  if (!isDirectoryOperation(operation) && connection.kind === "mssql") {
    return closed === undefined ? decideSql(policy, connection, { ...request, operation }, now) : denied(closed);
  }
  return denied(`${operation.op} is nothing for a connection of kind ${connection.kind}.`, "request.invalid");
}

function decideSql(
  policy: Policy,
  connection: MssqlConnection,
  { operation, caller, limits: asked }: PolicyRequest<SqlOperation>,
  now: Date,
): Decision<Allowed> {
  const inForce = connection.rules.filter((rule) => isInForce(rule, connection, caller, now));
  const settled = settle(judgeSql(connection, operation, inForce), describeSql(operation));
  if ("deny" in settled) return settled;
  const { grants } = settled;
  if (operation.op !== "sql.schema" && "columns" in operation && disagree(grants, operation.columns)) {
    const reason = "Two rules allow this with different masks: ask for columns that only one of them has.";
    return denied(reason, "policy.ambiguous");
  }
  const grant = grants[0]!;
  const { database, tls, refuseOverPrivileged, address } = connection;
  const rule = inForce.find(({ id }) => id === grant.rule);
  const stated = rule === undefined || "deny" in rule ? undefined : limitsOfRule(rule);
  const isMasked = grant.kind === "table" && grant.mask !== undefined;
  return {
    allow: {
      rule: grant.rule,
      grant,
      target: { ...splitAddress(address), database, tls, refuseOverPrivileged },
      limits: smallestLimits([policy.limits, connection.limits, stated], countedLimits(asked, isMasked)),
    },
  };
}

function decideDirectory(
  policy: Policy,
  connection: DirectoryConnection,
  { operation, caller, limits: asked }: PolicyRequest<DirectoryOperation>,
  now: Date,
): Decision<AllowedDirectory> {
  const inForce = connection.rules.filter((rule) => isInForce(rule, connection, caller, now));
  const settled = settle(judgeDirectory(connection, operation, inForce), `${operation.op} there, by this caller`);
  if ("deny" in settled) return settled;
  const grant = settled.grants[0]!;
  const { tls, refuseOverPrivileged, address } = connection;
  const rule = inForce.find(({ id }) => id === grant.rule);
  const stated: StatedLimits | undefined = rule === undefined || "deny" in rule ? undefined : rule.limits;
  return {
    allow: {
      rule: grant.rule,
      grant,
      target: { ...splitAddress(address), tls, refuseOverPrivileged },
      limits: smallestLimits([policy.limits, connection.limits, stated], asked),
    },
  };
}

/** The distinguished name that a request is about, people and all: not for the journal as it is. */
export function placeOf(operation: DirectoryOperation): string | undefined {
  if (operation.op === "ad.write") return operation.object;
  return operation.op === "ad.schema" ? undefined : operation.base;
}

/** What holds for the connection as a whole: who signs in, how, and when. */
function whyClosed(connection: Connection, request: PolicyRequest, now: Date): string | undefined {
  if (connection.credential === "sealed" && request.sealed === undefined) {
    return "The policy takes only a credential that was sealed to this agent.";
  }
  const login = request.sealed === "closed" ? undefined : whyNoLogin(connection, request);
  if (login !== undefined) return login;
  const { allow, timezone } = connection.hours ?? {};
  if (allow === undefined || timezone === undefined) return undefined;
  const time = timeIn(timezone, now);
  return allow.some((range) => isInRange(range, time)) ? undefined : "The policy allows no sessions at this hour.";
}

function whyNoLogin(connection: Connection, { user, signIn }: PolicyRequest): string | undefined {
  // Exact, not folded: SQL logins differ by case under some collations, and an owner writes the login they mean.
  if (!connection.logins.includes(user)) return "The policy does not list this login.";
  if ((connection.signIn as readonly string[]).includes(signIn)) return undefined;
  return `The policy does not allow sign-in by ${signIn}.`;
}

function isInForce(rule: Connection["rules"][number], connection: Connection, caller: string, now: Date): boolean {
  if ("deny" in rule) return true;
  if (rule.callers !== undefined && !rule.callers.includes(caller)) return false;
  if (rule.until === undefined) return true;
  const today = dayIn(connection.hours?.timezone ?? "UTC", now);
  if (rule.until < today) return false;
  const isRaw = (rule.allow as readonly string[]).includes("raw");
  return !isRaw || rule.until <= addDays(today, RAW_DAYS_AT_MOST);
}
