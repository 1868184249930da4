/** What the journal's lines of one session say: the supervisor's own facts, and of the executor's word what may stand there. */
import type { ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { JournalFacts } from "../journal/line.ts";
import { hashLogins, loginName } from "../journal/login.ts";
import type { EndReport, RequestReport } from "../pipe/messages.ts";
import { findConnection, serverOf } from "../policy/find-connection.ts";
import type { Place } from "./budgets.ts";
import type { ExecutorExit } from "./executors.ts";
import type { PolicySnapshot } from "./policy-source.ts";

/** Of whom a line speaks. */
export interface Owner {
  readonly policy: PolicySnapshot;
  /** Key under which logins are counted. */
  readonly loginKey: string;
}

/** Before anything is contacted. `refusal`: why the supervisor says no although the executor says yes. */
export function requestLine(
  report: RequestReport,
  refusal: SallyportError | undefined,
  place: Place | undefined,
  owner: Owner,
): JournalFacts {
  const code = refusal?.code ?? report.code;
  const {
    say: _say,
    login,
    sealed: _sealed,
    seconds: _seconds,
    bytes: _bytes,
    rows: _rows,
    code: _code,
    decision,
    rule,
    ...facts
  } = report;
  return {
    event: "request",
    policy: owner.policy.digest,
    ...facts,
    ...loginOf(report.connection, login, owner),
    // Of a denial nobody has checked yet which rule the executor names.
    ...(rule !== undefined && hasRule(report.connection, rule, owner) ? { rule } : {}),
    decision: refusal === undefined ? decision : "deny",
    ...(code === undefined ? {} : { code }),
    ...(place === undefined ? {} : { bytesReserved: place.bytes }),
    ...(place?.rows === undefined ? {} : { rowsReserved: place.rows }),
    reported: true,
  };
}

/** A login that the source did not take, or of which nobody said that it did: it counts as failed. */
export const loginLine = (
  request: RequestReport,
  login: string,
  code: ErrorCode | undefined,
  owner: Owner,
): JournalFacts => ({
  event: "login",
  ...idsOf(request),
  ...loginOf(request.connection, login, owner),
  decision: "deny",
  ...(code === undefined ? {} : { code }),
});

/** The supervisor's own facts come first: what it killed, and for what; then the executor's word; then its silence. */
export function codeOf(
  { killed }: ExecutorExit,
  end: EndReport | undefined,
  stopped: ErrorCode | undefined,
): ErrorCode | undefined {
  switch (killed) {
    case "memory":
      return "limit.memory";
    case "deadline":
      return end === undefined ? (stopped ?? "limit.time") : end.code;
    case "shutdown":
      return "agent.interrupted";
    case "core":
    case "protocol":
      return "executor.crashed";
    case undefined:
      return end === undefined ? "executor.crashed" : end.code;
    default:
      return killed satisfies never;
  }
}

/** The executor's last word, where it had one. */
export const endFacts = (code: ErrorCode | undefined, end: EndReport | undefined) => ({
  ...(code === undefined ? {} : { code }),
  ...(end === undefined ? {} : { rowsOut: end.rowsOut, bytesOut: end.bytesOut }),
  ...(end?.rowsIn === undefined ? {} : { rowsIn: end.rowsIn }),
  ...(end?.source === undefined ? {} : { source: end.source }),
  ...(end === undefined ? {} : { reported: true as const }),
});

export function idsOf({ request, run, pull, connection }: RequestReport) {
  return {
    request,
    ...(run === undefined ? {} : { run }),
    ...(pull === undefined ? {} : { pull }),
    ...(connection === undefined ? {} : { connection }),
  };
}

const hasRule = (connection = "", rule: string, { policy }: Owner): boolean =>
  findConnection(policy.policy, connection)?.rules.some(({ id }) => id === rule) === true;

function loginOf(connection = "", login: string | undefined, owner: Owner): { login?: string } {
  if (login === undefined) return {};
  const server = serverOf(owner.policy.policy, connection);
  return { login: loginName(owner.loginKey, server, login, listedLogins(connection, owner)) };
}

const listedLogins = (connection: string, { policy }: Owner): readonly string[] =>
  findConnection(policy.policy, connection)?.logins ?? [];

/** All logins that the policy lists for a connection, as they are counted. */
export function countedLogins(connection: string, owner: Owner): readonly string[] {
  const { policy } = owner.policy;
  const signIns = findConnection(policy, connection)?.signIn ?? [];
  return hashLogins(owner.loginKey, serverOf(policy, connection), listedLogins(connection, owner), signIns);
}
