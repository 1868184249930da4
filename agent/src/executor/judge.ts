/** What an opened request comes to: the line for the journal, and what may be done, by the owner's policy. Pure. */
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { MAX_SCHEMA_BYTES } from "@sallyport/shared/protocol/frames.ts";
import type { PlainCredential, SealedCredential, SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { type DirectoryOperation, isDirectoryOperation } from "@sallyport/shared/schema/directory-operations.ts";
import type { Operation } from "@sallyport/shared/schema/operations.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { hashLogin } from "../journal/login.ts";
import { maskDn } from "../journal/object.ts";
import { type RequestReport, toSupervisor } from "../pipe/messages.ts";
import { isChange } from "../policy/change.ts";
import {
  type Allowed,
  type AllowedDirectory,
  type Denied,
  decide,
  type Judged,
  type PolicyRequest,
  placeOf,
} from "../policy/decide.ts";
import { serverOf } from "../policy/find-connection.ts";
import type { SqlOperation } from "../policy/sql-judge.ts";

/** What is to be done, once the supervisor has said go. */
export type Work =
  | { readonly do: "ping" }
  | Serving<"mssql", SqlOperation, Allowed>
  | Serving<"activeDirectory", DirectoryOperation, AllowedDirectory>
  | { readonly do: "refuse"; readonly error: SallyportError };

interface Serving<Kind extends string, Asked extends Judged, Yes> {
  readonly do: "serve";
  /** The kind of system, and so of connector. */
  readonly kind: Kind;
  readonly connection: string;
  readonly asked: PolicyRequest<Asked>;
  readonly credential: PlainCredential | SealedCredential;
  readonly allowed: Yes;
}

export interface Judgement {
  readonly report: RequestReport;
  readonly work: Work;
}

/** A ping takes no longer; also what a refused session may take. */
const SHORT_SECONDS = 60;

/**
 * @param ping the session is a canary's: it serves nothing but `agent.ping`
 * @param loginKey key of the HMAC under which the supervisor counts failed logins
 * @throws request.invalid when its metadata cannot stand in a journal
 */
export function judge(
  request: SessionRequestPayload,
  policy: Policy,
  ping: boolean,
  loginKey: Uint8Array,
  now: Date,
): Judgement {
  const work = workOf(request, policy, ping, now);
  const { operation, connection, credential } = request;
  const report = toSupervisor.safeParse({
    say: "request",
    request: request.id,
    run: request.run,
    pull: request.pull,
    caller: request.caller,
    connection: connection ?? undefined,
    op: operation.op,
    action: operation.op === "sql.write" || operation.op === "ad.write" ? operation.action : undefined,
    object: objectOf(operation),
    rule: ruleOf(work),
    decision: work.do === "refuse" ? "deny" : "allow",
    code: work.do === "refuse" ? work.error.code : undefined,
    asked: work.do === "refuse" ? askedOf(operation) : undefined,
    login:
      credential?.form === "plain"
        ? hashLogin(loginKey, serverOf(policy, connection ?? ""), credential.user, credential.signIn)
        : undefined,
    sealed: work.do === "serve" && work.credential.form === "sealed" ? true : undefined,
    seconds: work.do === "serve" ? work.allowed.limits.seconds : SHORT_SECONDS,
    bytes: work.do === "serve" ? mostSent(operation, work.allowed.limits.bytes) : undefined,
    rows: work.do === "serve" ? mostWritten(operation, work.allowed.limits.rows) : undefined,
    effect: work.do === "serve" && work.allowed.grant.kind === "call" ? work.allowed.grant.effect : undefined,
  });
  if (!report.success || report.data.say !== "request") {
    throw new SallyportError("request.invalid", "The request's ids or names cannot stand in the journal.");
  }
  return { report: report.data, work };
}

/** A change sends one result: to keep a pull's gigabytes for it would use up the day where a few of its sessions die. */
const mostSent = (operation: Operation, bytes: number): number =>
  isChange(operation) || operation.op === "ad.write" ? Math.min(bytes, MAX_SCHEMA_BYTES) : bytes;

/** What the rule's day counts: rows, and in a directory one for a password that is set or an object that is deleted. */
function mostWritten(operation: Operation, rows: number): number | undefined {
  if (operation.op === "sql.write") return rows;
  if (operation.op !== "ad.write") return undefined;
  const { action } = operation;
  const sets = action === "setPassword" || (action === "add" && operation.password !== undefined);
  return sets || action === "delete" ? 1 : undefined;
}

function workOf(request: SessionRequestPayload, policy: Policy, ping: boolean, now: Date): Work {
  const { operation, connection, credential } = request;
  if (operation.op === "agent.ping") return { do: "ping" };
  if (ping) return refuse("request.refused", "A session opened as a ping serves nothing but agent.ping.");
  if (connection === null) return refuse("request.invalid", "The request names no connection.");
  if (credential === null) return refuse("request.invalid", "The request brings no credential.");
  const facts = {
    connection,
    limits: request.limits,
    ...(credential.form === "plain"
      ? { user: credential.user, signIn: credential.signIn }
      : { user: "", signIn: "", sealed: "closed" as const }),
    caller: request.caller,
  };
  if (isDirectoryOperation(operation)) {
    const asked = { ...facts, operation };
    const decision = decide(policy, asked, now);
    if ("deny" in decision) return refuseBy(decision.deny);
    return { do: "serve", kind: "activeDirectory", connection, asked, credential, allowed: decision.allow };
  }
  const asked = { ...facts, operation };
  const decision = decide(policy, asked, now);
  if ("deny" in decision) return refuseBy(decision.deny);
  return { do: "serve", kind: "mssql", connection, asked, credential, allowed: decision.allow };
}

const refuseBy = ({ code, reason, rule }: Denied): Work => refuse(code, reason, rule);

const refuse = (code: ErrorCode, message: string, rule?: string): Work => ({
  do: "refuse",
  error: new SallyportError(code, message, rule === undefined ? {} : { rule }),
});

function ruleOf(work: Work): string | undefined {
  if (work.do === "serve") return work.allowed.rule;
  const rule = work.do === "refuse" ? work.error.detail.rule : undefined;
  return typeof rule === "string" ? rule : undefined;
}

/** A line of the journal has room for so much, in the bytes of its JSON. */
const MAX_ASKED_BYTES = 1500;

/** What was asked for of a table or an object; nothing where that would not fit. */
function askedOf(operation: Operation): readonly string[] | undefined {
  const names =
    "columns" in operation ? operation.columns : "attributes" in operation ? operation.attributes : undefined;
  if (names === undefined) return undefined;
  const list = names === "*" ? ["*"] : Array.isArray(names) ? names : Object.keys(names);
  const fits = list.length > 0 && list.length <= 200 && Buffer.byteLength(JSON.stringify(list)) <= MAX_ASKED_BYTES;
  return fits ? list : undefined;
}

function objectOf(operation: Operation): string | undefined {
  switch (operation.op) {
    case "sql.table":
    case "sql.changes":
    case "sql.schema":
    case "sql.write":
      return operation.table;
    case "sql.call":
      return operation.procedure;
    case "sql.query":
      return operation.statement;
    case "ad.search":
    case "ad.changes":
    case "ad.schema":
    case "ad.write": {
      const place = placeOf(operation);
      return place === undefined ? undefined : maskDn(place);
    }
    case "agent.ping":
      return undefined;
    default:
      return operation satisfies never;
  }
}
