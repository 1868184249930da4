/**
 * Testing a connection: an agent of its site goes the whole way that a pull would go (policy, credential, network, TLS,
 * login, rights) and lists what its policy shows. Where that ends tells which of its checks failed.
 */
import { ERRORS, type ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { CHECKS, type ConnectionTest, REQUEST_LIMITS } from "@sallyport/shared/schema/api-requests.ts";
import type { Operation } from "@sallyport/shared/schema/operations.ts";
import type { SessionOutcome } from "../sessions/session.ts";
import { requireConnection } from "../tenants/connections.ts";
import type { RequestDeps } from "./deps.ts";

export interface Tested {
  readonly tenant: string;
  readonly connection: string;
  readonly caller: string;
}

type Check = (typeof CHECKS)[number];

const LOOK: Readonly<Record<string, Operation>> = {
  mssql: { op: "sql.schema" },
  activeDirectory: { op: "ad.schema" } as Operation,
};
const SECONDS = 60;

/** @throws api.not_found */
export async function testConnection(deps: RequestDeps, tested: Tested): Promise<ConnectionTest> {
  const { tenant, connection, caller } = tested;
  const { kind } = (await requireConnection(deps.store, tenant, connection)).value;
  let shown: number | null = null;
  const consumer = {
    schema: async () => {},
    batch: async () => {},
    checkpoint: async () => "continue" as const,
    result: async (bytes: Uint8Array) => {
      shown = countOf(JSON.parse(Buffer.from(bytes).toString("utf8")));
    },
  };
  const request = {
    ...{ tenant, connection, caller, operation: LOOK[kind]!, requestId: deps.random(16).toString("hex") },
    limits: { ...REQUEST_LIMITS, seconds: SECONDS },
  };
  const outcome = await deps.openSession(request, consumer, deps.stopping).catch(asOutcome);
  const executedMs = outcome.ok ? outcome.executedMs : null;
  return { connection, ok: outcome.ok, checks: checksOf(outcome), shown: outcome.ok ? shown : null, executedMs };
}

/** Our own refusals are an end of the test as well as an agent's; anything else is thrown. */
function asOutcome(thrown: unknown): SessionOutcome {
  const { code, message, detail } = thrown as Extract<SessionOutcome, { ok: false }>;
  if (code === undefined || !Object.hasOwn(ERRORS, code)) throw thrown;
  return { ok: false, code, message, detail };
}

function countOf(result: unknown): number | null {
  const { tables, classes } = (result ?? {}) as { tables?: unknown; classes?: unknown };
  const list = tables ?? classes;
  return Array.isArray(list) ? list.length : null;
}

/** Each check is ok when a later one was reached. */
export function checksOf(outcome: SessionOutcome): ConnectionTest["checks"] {
  if (outcome.ok) return CHECKS.map((check) => ({ check, state: "ok", error: null }));
  const { code, message, detail } = outcome;
  const failed = CHECKS.indexOf(checkOf(code));
  const error = { code, message, advice: ERRORS[code].advice, facts: { ...detail } };
  return CHECKS.map((check, at) => ({
    check,
    state: at < failed ? "ok" : at === failed ? "failed" : "unknown",
    error: at === failed ? error : null,
  }));
}

const EXACT: Partial<Readonly<Record<ErrorCode, Check>>> = {
  "connection.unknown": "policy",
  "connection.unreachable": "network",
  "connection.tls": "tls",
  "limit.logins": "login",
};
const BY_AREA: Readonly<Record<string, Check>> = {
  agent: "agent",
  protocol: "agent",
  executor: "agent",
  relay: "agent",
  policy: "policy",
  secrets: "credential",
  credential: "credential",
  network: "network",
  connection: "login",
  directory: "login",
};

/** At which of an agent's checks an error arises; what comes of the system itself is a matter of rights. */
function checkOf(code: ErrorCode): Check {
  const area = code.split(".")[0] ?? "";
  return EXACT[code] ?? BY_AREA[area] ?? "rights";
}
