/** Opens a session: chooses an agent of the site, dials it, takes its hello, seals the one request, receives. */
import { randomBytes } from "node:crypto";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import type { JWK, Signer } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { signGrant } from "@sallyport/shared/protocol/grant.ts";
import type { Hello, HelloRecord } from "@sallyport/shared/protocol/hello.ts";
import { DEFAULT_WINDOW_BYTES, type SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import type { Credential } from "@sallyport/shared/schema/api.ts";
import type { WebSocket } from "ws";
import type { Connection } from "../store/connections.ts";
import type { Span, Telemetry } from "../telemetry/telemetry.ts";
import { dial } from "./dial.ts";
import { exchange } from "./exchange.ts";
import { awaitHello } from "./hello.ts";
import type { Consumer, OpenSession, SessionOutcome, SessionRequest } from "./session.ts";

/** An active agent as the registry gives it, best first. */
export interface Candidate {
  readonly id: string;
  readonly path: string;
  readonly identity: JWK;
  readonly kid: string;
  /** The key before, for a day after a rotation: the agent may not know yet that it was taken. */
  readonly previous?: { readonly identity: JWK; readonly kid: string };
  /** Thumbprint of the key that customers seal credentials to. */
  readonly unsealKid: string;
}

/** What a session takes from its connection's record. */
export type Reached = Pick<Connection, "site" | "createdAt" | "credentialVersion">;

export interface SessionDeps {
  readonly relayHost: string;
  readonly signer: Signer;
  /** The sender's authorization for one agent's hybrid connection. */
  authorization(path: string): Promise<string>;
  /** @throws api.not_found */
  connectionOf(tenant: string, connection: string): Promise<Reached>;
  candidates(tenant: string, site: string): Promise<readonly Candidate[]>;
  /** Whether the agent is active and the key still its own: it may have been revoked while it was dialled. */
  isCurrent(tenant: string, site: string, candidate: Candidate): Promise<boolean>;
  credentialOf(tenant: string, connection: string, version: string | null): Promise<Credential>;
  /** Counts a session with this agent until the answer is called. */
  began(agent: string): () => void;
  /** The agent answered a request, sealed: it is reached, and this is what its hello announces. */
  reached(tenant: string, site: string, agent: string, hello: Hello): Promise<void>;
  /** A hello that was not the dialled agent's: somebody should look at it. */
  alert(what: string, facts: Readonly<Record<string, unknown>>): void;
  readonly telemetry: Telemetry;
}

type Refused = Extract<SessionOutcome, { ok: false }>;

export function createOpenSession(deps: SessionDeps): OpenSession {
  const { telemetry } = deps;
  return (request, consumer, signal) =>
    telemetry.span("session", factsOf(request), async (span) => {
      const outcome = await openOne(deps, request, consumer, signal);
      const operation = { "sallyport.operation": request.operation.op };
      if (outcome.ok) {
        const { rows, bytes, batches, complete } = outcome;
        span.add({ "sallyport.rows": rows, "sallyport.bytes": bytes });
        span.add({ "sallyport.batches": batches, "sallyport.complete": complete });
        telemetry.measure("sallyport.rows", rows, operation);
        telemetry.measure("sallyport.bytes", bytes, operation);
      } else span.fail(outcome.code);
      const code = outcome.ok ? {} : { "sallyport.code": outcome.code };
      telemetry.measure("sallyport.sessions", 1, { ...operation, ...code });
      return outcome;
    });
}

async function openOne(
  deps: SessionDeps,
  request: SessionRequest,
  consumer: Consumer,
  signal: AbortSignal,
): Promise<SessionOutcome> {
  const reached = await deps.connectionOf(request.tenant, request.connection);
  if (request.connectionAt !== undefined && request.connectionAt !== reached.createdAt) {
    const { connection } = request;
    const message = `The connection ${connection} of this request was removed: what has the name now is another one.`;
    throw new SallyportError("api.not_found", message, { connection });
  }
  const { site } = reached;
  const passed = createPassedOver(site);
  for (const candidate of await deps.candidates(request.tenant, site)) {
    const over = deps.began(candidate.id);
    try {
      const session = { deps, request, reached, site, candidate };
      const beganMs = performance.now();
      const met = await meet(session, signal);
      if (met.ok) {
        deps.telemetry.measure("sallyport.session.setup", (performance.now() - beganMs) / 1000);
        const outcome = await converse(session, met, consumer, signal).catch(whenNotSealed);
        if (outcome.ok || outcome.code !== "credential.not_sealed") return outcome;
        passed.notSealed(outcome);
      } else if (signal.aborted) {
        return refused("request.cancelled", "The session was stopped before it began.", {});
      } else passed.notMet(met);
    } finally {
      over();
    }
  }
  return passed.verdict();
}

const factsOf = ({ tenant, connection, requestId, operation }: SessionRequest) => ({
  "sallyport.tenant": tenant,
  "sallyport.connection": connection,
  "sallyport.request": requestId,
  "sallyport.operation": operation.op,
});

/** Why each agent of a site was passed over, and what is told when nobody is left. */
function createPassedOver(site: string) {
  let refusal = refused("agent.offline", `No agent of site ${site} is connected.`, { status: 0 });
  let broken: Refused | undefined;
  let unsealed: Refused | undefined;
  let others = 0;
  return {
    notSealed(outcome: Refused): void {
      unsealed = outcome;
    },
    notMet(met: Extract<Met, { ok: false }>): void {
      others += 1;
      if (met.connected) broken ??= met.refusal;
      else refusal = met.refusal;
    },
    // One that came and was no good says more than one that did not come; and one that did not may be the one it is sealed to.
    verdict: (): Refused => broken ?? (others === 0 ? (unsealed ?? refusal) : refusal),
  };
}

/** The next agent may be one that it is sealed to; anything else is nobody's refusal. */
function whenNotSealed(thrown: unknown): Refused {
  if (!(thrown instanceof SallyportError) || thrown.code !== "credential.not_sealed") throw thrown;
  return refused(thrown.code, thrown.message, thrown.detail);
}

interface Session {
  readonly deps: SessionDeps;
  readonly request: SessionRequest;
  readonly reached: Reached;
  readonly site: string;
  readonly candidate: Candidate;
}

type Met =
  | { readonly ok: true; readonly socket: WebSocket; readonly hello: HelloRecord }
  | { readonly ok: false; readonly connected: boolean; readonly refusal: Refused };

/** Dials an agent and takes its hello. Nothing was sealed where it is refused, so the next agent may be asked the same. */
async function meet({ deps, request, site, candidate }: Session, signal: AbortSignal): Promise<Met> {
  const { id, path, identity, kid, previous } = candidate;
  const challenge = toBase64url(randomBytes(32));
  const authorization = await deps.authorization(path);
  const { requestId } = request;
  const facts = { "sallyport.agent": id, "sallyport.site": site };
  const dialled = await deps.telemetry.span("relay", facts, async (span) => {
    const answer = await dial({ host: deps.relayHost, path, authorization, challenge, requestId }, signal);
    if (answer.ok) return answer;
    span.add({ "sallyport.status": answer.status });
    span.fail(answer.code);
    return answer;
  });
  if (!dialled.ok) {
    const { code, status } = dialled;
    const refusal = refused(code, `Agent ${id} of site ${site} did not take the session.`, { status });
    return { ok: false, connected: false, refusal };
  }
  const { socket } = dialled;
  try {
    const expected = { agent: id, site, challenge, identity, kid, previous };
    const hello = await deps.telemetry.span("hello", facts, () => awaitHello(socket, expected, signal));
    if (!(await deps.isCurrent(request.tenant, site, candidate))) {
      throw new SallyportError("agent.revoked", `Agent ${id} was revoked while it was dialled.`);
    }
    const { op } = request.operation;
    if (!hello.hello.operations.includes(op)) {
      throw new SallyportError("agent.version", `Agent ${id} does not offer ${op}.`, { operation: op });
    }
    if (request.maskKey !== undefined && hello.hello.maskKey !== request.maskKey) {
      const facts = { agent: id, maskKey: hello.hello.maskKey ?? "none", planned: request.maskKey };
      throw new SallyportError("agent.mask_key", `Agent ${id} hashes with another mask key than the run's.`, facts);
    }
    return { ok: true, socket, hello };
  } catch (thrown) {
    socket.terminate();
    if (!(thrown instanceof SallyportError)) throw thrown;
    if (thrown.code === "protocol.hello") deps.alert("hello refused", { agent: id, site, ...thrown.detail });
    return { ok: false, connected: true, refusal: refused(thrown.code, thrown.message, thrown.detail) };
  }
}

async function converse(
  session: Session,
  { socket, hello }: Extract<Met, { ok: true }>,
  consumer: Consumer,
  signal: AbortSignal,
): Promise<SessionOutcome> {
  const { deps, request, site, candidate } = session;
  consumer.servedBy?.(() => deps.isCurrent(request.tenant, site, candidate));
  const outcome = await deps.telemetry.span("request", { "sallyport.agent": candidate.id }, async (span) => {
    const payload = () => payloadOf(session, hello, span);
    const opened = { socket, hello, signer: deps.signer, input: request.input, span };
    const answer = await exchange(opened, payload, consumer, signal);
    if (!answer.ok) span.fail(answer.code);
    return answer;
  });
  // An error of the agent's own is an answer; what the protocol makes of silence is none.
  if (outcome.ok || !outcome.code.startsWith("protocol.")) {
    await deps.reached(request.tenant, site, candidate.id, hello.hello).catch(() => undefined);
  }
  return outcome;
}

async function payloadOf(
  { deps, request, reached, site, candidate }: Session,
  hello: HelloRecord,
  { traceparent }: Span,
): Promise<SessionRequestPayload> {
  const credential = await credentialFor({ deps, request, reached, candidate }, hello);
  return {
    v: 1,
    id: request.requestId,
    hello: toBase64url(hello.hash),
    agent: candidate.id,
    site,
    tenant: request.tenant,
    connection: request.connection,
    caller: request.caller,
    ...(request.pull === undefined ? {} : { pull: request.pull }),
    ...(request.run === undefined ? {} : { run: request.run }),
    iat: Math.floor(Date.now() / 1000),
    operation: request.operation,
    credential,
    limits: request.limits,
    window: DEFAULT_WINDOW_BYTES,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** As it is stored; of a sealed one the part that this agent can open, with the word that its supervisor wants. */
async function credentialFor(
  { deps, request, reached, candidate }: Pick<Session, "deps" | "request" | "reached" | "candidate">,
  hello: HelloRecord,
): Promise<SessionRequestPayload["credential"]> {
  const { tenant, connection } = request;
  const stored = await deps.credentialOf(tenant, connection, reached.credentialVersion);
  if (stored.form === "plain") return stored;
  const part = stored.parts.find(({ kid }) => kid === candidate.unsealKid);
  if (part === undefined) {
    const message = `The credential of ${connection} is not sealed to agent ${candidate.id}.`;
    throw new SallyportError("credential.not_sealed", message, { agent: candidate.id, connection });
  }
  const { kid, enc } = part;
  const grant = await signGrant({ hello: hello.hash, connection, kid, enc }, deps.signer);
  return { form: "sealed", ...part, grant };
}

const refused = (code: Refused["code"], message: string, detail: Refused["detail"]): Refused => ({
  ok: false,
  code,
  message,
  detail,
});
