/**
 * An agent as little as a session needs, written with `ws` and the shared protocol: it takes the relay's `accept`, says
 * a hello, opens the request and plays what the test wants. Each step can be replaced by a wrong one.
 */
import { once } from "node:events";
import type { TestContext } from "node:test";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { generateSessionKey, type SessionKey } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair, type KeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { type JWK, publicKeyOf } from "@sallyport/shared/crypto/jws.ts";
import { createOpener, createSealer, FRAME, type Frame, jsonBody, pieces } from "@sallyport/shared/protocol/frames.ts";
import { buildHello, type Hello, type HelloRecord } from "@sallyport/shared/protocol/hello.ts";
import { CHALLENGE_HEADER, WEBSOCKET_PROTOCOL } from "@sallyport/shared/protocol/records.ts";
import { openRequest, type SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import type { WebSocket } from "ws";
import { type Accept, type Bench, nextAccept } from "../emulators/relay/clients.ts";

export interface TestAgent {
  readonly id: string;
  readonly path: string;
  readonly pair: KeyPair;
}

export const SITE = "oslo";

export async function makeAgent(number: 1 | 2): Promise<TestAgent> {
  return { id: String(number).repeat(32), path: `agents/a${number}`, pair: await generateKeyPair("EdDSA") };
}

/** What the agent's end of a session sees and can do. */
export interface AgentEnd {
  readonly socket: WebSocket;
  readonly challenge: string;
  readonly sessionKey: SessionKey;
  /** A hello as this agent would say it, or with anything else in it. */
  hello(over?: Partial<Hello>, by?: KeyPair): Promise<HelloRecord>;
  /** The next binary message; undefined when the socket closed. */
  next(): Promise<Buffer | undefined>;
}

/** Listens for one accept, comes to the rendezvous and plays `act`. What `act` throws fails the test. */
export function serveOnce(
  bench: Bench,
  agent: TestAgent,
  act: (end: AgentEnd) => Promise<void>,
): { listening: Promise<void>; served: Promise<void> } {
  const control = bench.listen(agent.path);
  const serve = async () => {
    const accept = await nextAccept(await control);
    const socket = bench.open(accept.address, {}, [WEBSOCKET_PROTOCOL]);
    const arrived = arrivals(socket);
    await once(socket, "open");
    await act(await endOf(agent, accept, socket, arrived));
  };
  return { listening: control.then(() => undefined), served: serve() };
}

async function endOf(
  agent: TestAgent,
  accept: Accept,
  socket: WebSocket,
  next: () => Promise<Buffer | undefined>,
): Promise<AgentEnd> {
  const challenge = accept.connectHeaders[CHALLENGE_HEADER] ?? "";
  const sessionKey = await generateSessionKey();
  return {
    socket,
    challenge,
    sessionKey,
    next,
    hello: (over = {}, by = agent.pair) =>
      buildHello(
        {
          v: 1,
          agent: agent.id,
          site: SITE,
          challenge,
          key: toBase64url(sessionKey.publicKey),
          iat: Math.floor(Date.now() / 1000),
          version: "0.1.0",
          policy: toBase64url(sha256(utf8("policy"))),
          maskKey: null,
          maxSessions: 4,
          operations: ["sql.table"],
          ...over,
        },
        signerOf("EdDSA", by),
      ),
  };
}

/** A queue of what arrives, so that nothing is lost between two steps. */
function arrivals(socket: WebSocket): () => Promise<Buffer | undefined> {
  const queue: (Buffer | undefined)[] = [];
  let wake = () => {};
  const push = (message: Buffer | undefined) => {
    queue.push(message);
    wake();
  };
  socket.on("message", (data: Buffer) => push(data));
  socket.on("close", () => push(undefined));
  return async () => {
    while (queue.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
    return queue.shift();
  };
}

export interface OpenedSession {
  readonly request: SessionRequestPayload;
  readonly hello: HelloRecord;
  say(type: Frame["type"], body: Uint8Array): void;
  /** The orchestrator's next frame; undefined when the socket closed. */
  hear(): Promise<Frame | undefined>;
}

/** Says a good hello and opens the request. */
export async function begin(
  end: AgentEnd,
  agent: TestAgent,
  orchestrator: JWK,
  says: Partial<Hello> = {},
): Promise<OpenedSession> {
  const hello = await end.hello(says);
  end.socket.send(hello.record);
  const record = (await end.next()) ?? Buffer.alloc(0);
  const at = { hash: hello.hash, agent: agent.id, site: SITE };
  const { request, keys } = await openRequest(record, end.sessionKey, at, () => publicKeyOf(orchestrator));
  const [seal, open] = [createSealer(keys.toOrchestrator), createOpener(keys.toAgent)];
  return {
    request,
    hello,
    say: (type, body) => {
      const pieced = type === FRAME.schema || type === FRAME.batch;
      if (!pieced) end.socket.send(seal(type, body));
      else for (const piece of pieces(body)) end.socket.send(seal(type, piece.body, piece.last));
    },
    hear: async () => {
      const message = await end.next();
      return message && open(message);
    },
  };
}

/** The end of a session that read nothing. */
export const emptyEnd = (): Buffer =>
  jsonBody({ rows: 0, bytes: 0, batches: 0, position: null, complete: true, executedMs: 1 });

/** Rejects one accept as a busy or draining agent does. */
export async function rejectOnce(bench: Bench, agent: TestAgent, status: number, words: string, t: TestContext) {
  const control = await bench.listen(agent.path);
  t.after(() => control.terminate());
  return nextAccept(control).then(({ address }) => {
    bench.open(`${address}&sb-hc-statusCode=${status}&sb-hc-statusDescription=${encodeURIComponent(words)}`);
  });
}
