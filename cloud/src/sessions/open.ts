/** Opens a session: chooses an agent of the site, dials it, takes its hello, seals the one request, receives. */
import { randomBytes } from "node:crypto";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import type { JWK, Signer } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type HelloRecord, verifyHello } from "@sallyport/shared/protocol/hello.ts";
import { DEFAULT_WINDOW_BYTES, sealRequest } from "@sallyport/shared/protocol/request.ts";
import type { Credential } from "@sallyport/shared/schema/api.ts";
import type { WebSocket } from "ws";
import { dial } from "./dial.ts";
import { receive } from "./receive.ts";
import type { OpenSession, SessionOutcome, SessionRequest } from "./session.ts";

/** An active agent as the registry gives it, best first. */
export interface Candidate {
  readonly id: string;
  readonly path: string;
  readonly identity: JWK;
  readonly kid: string;
}

export interface SessionDeps {
  readonly relayHost: string;
  readonly signer: Signer;
  /** The sender's authorization for one agent's hybrid connection. */
  authorization(path: string): Promise<string>;
  siteOf(tenant: string, connection: string): Promise<string>;
  candidates(tenant: string, site: string): Promise<readonly Candidate[]>;
  /** Whether the agent is active and the key still its own: it may have been revoked while it was dialled. */
  isCurrent(tenant: string, site: string, candidate: Candidate): Promise<boolean>;
  credentialOf(tenant: string, connection: string): Promise<Credential>;
  /** A hello that was not the dialled agent's: somebody should look at it. */
  alert(what: string, facts: Readonly<Record<string, unknown>>): void;
}

const HELLO_MS = 20_000;

export function createOpenSession(deps: SessionDeps): OpenSession {
  return async (request, consumer, signal) => {
    const site = await deps.siteOf(request.tenant, request.connection);
    const candidates = await deps.candidates(request.tenant, site);
    let refusal: SessionOutcome = refused("agent.offline", `No agent of site ${site} is connected.`);
    for (const candidate of candidates) {
      const challenge = toBase64url(randomBytes(32));
      const authorization = await deps.authorization(candidate.path);
      const dialled = await dial(
        { host: deps.relayHost, path: candidate.path, authorization, challenge, requestId: request.requestId },
        signal,
      );
      if (dialled.ok) {
        const session = { deps, request, site, candidate, challenge };
        return await converse(session, dialled.socket, consumer, signal);
      }
      if (signal.aborted) return refused("request.cancelled", "The session was stopped before it began.");
      refusal = refused(
        dialled.code,
        `Agent ${candidate.id} of site ${site} did not take the session.`,
        dialled.status,
      );
    }
    return refusal;
  };
}

interface Session {
  readonly deps: SessionDeps;
  readonly request: SessionRequest;
  readonly site: string;
  readonly candidate: Candidate;
  readonly challenge: string;
}

async function converse(
  session: Session,
  socket: WebSocket,
  consumer: Parameters<OpenSession>[1],
  signal: AbortSignal,
): Promise<SessionOutcome> {
  const { deps, request, site, candidate, challenge } = session;
  let hello: HelloRecord;
  try {
    const message = await firstMessage(socket, signal);
    hello = await verifyHello(message, {
      agent: candidate.id,
      site,
      challenge,
      identity: candidate.identity,
      kid: candidate.kid,
    });
    if (!(await deps.isCurrent(request.tenant, site, candidate))) {
      throw new SallyportError("agent.revoked", `Agent ${candidate.id} was revoked while it was dialled.`);
    }
    if (!hello.hello.operations.includes(request.operation.op)) {
      throw new SallyportError("agent.version", `Agent ${candidate.id} does not offer ${request.operation.op}.`, {
        operation: request.operation.op,
      });
    }
  } catch (thrown) {
    socket.terminate();
    if (!(thrown instanceof SallyportError)) throw thrown;
    if (thrown.code === "protocol.hello") deps.alert("hello refused", { agent: candidate.id, site, ...thrown.detail });
    return { ok: false, code: thrown.code, message: thrown.message, detail: thrown.detail };
  }
  let sealed: Awaited<ReturnType<typeof sealRequest>>;
  try {
    sealed = await sealRequest(await payloadOf(session, hello), hello, deps.signer);
  } catch (thrown) {
    socket.terminate(); // an agent that waits for its request is busy with it
    throw thrown;
  }
  const receiving = receive(
    { send: (bytes) => socket.send(bytes), close: (code, reason) => socket.close(code, reason) },
    consumer,
    {
      keys: sealed.keys,
      limits: request.limits,
      windowBytes: DEFAULT_WINDOW_BYTES,
      agent: candidate.id,
      policy: hello.hello.policy,
    },
    signal,
  );
  socket.on("message", (data: Buffer, isBinary) => receiving.message(isBinary ? data : Buffer.of(0)));
  socket.on("close", () => receiving.closed());
  if (socket.readyState === socket.OPEN) socket.send(sealed.record);
  else receiving.closed(); // while the request was sealed
  try {
    return await receiving.outcome;
  } finally {
    // A peer that does not answer the close must not keep the socket.
    setTimeout(() => socket.terminate(), 2_000).unref();
  }
}

async function payloadOf({ deps, request, site, candidate }: Session, hello: HelloRecord) {
  const stored = await deps.credentialOf(request.tenant, request.connection);
  return {
    v: 1 as const,
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
    credential: { form: "plain" as const, user: stored.user, password: stored.password, signIn: stored.signIn },
    limits: request.limits,
    window: DEFAULT_WINDOW_BYTES,
  };
}

/** The agent speaks first; anything but one binary message within the time is no hello. */
function firstMessage(socket: WebSocket, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      socket.off("message", onMessage);
      socket.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onMessage = (data: Buffer, isBinary: boolean) =>
      settle(() => (isBinary ? resolve(data) : reject(new SallyportError("protocol.order", "The agent sent text."))));
    const onClose = () =>
      settle(() => reject(new SallyportError("protocol.truncated", "The session closed before the hello.")));
    const onAbort = () =>
      settle(() => reject(new SallyportError("request.cancelled", "The session was stopped before it began.")));
    const timer = setTimeout(
      () => settle(() => reject(new SallyportError("protocol.silent", "No hello came in time."))),
      HELLO_MS,
    );
    socket.on("message", onMessage);
    socket.on("close", onClose);
    socket.resume();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function refused(code: Extract<SessionOutcome, { ok: false }>["code"], message: string, status = 0): SessionOutcome {
  return { ok: false, code, message, detail: { status } };
}
