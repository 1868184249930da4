/** The orchestrator's end of a session, step by step, so that a test can do each step wrongly. */
import { randomBytes } from "node:crypto";
import { on, once } from "node:events";
import { Agent } from "node:https";
import { connectUrl, sharedAccessSignature } from "@sallyport/cloud/src/relay.ts";
import type { StreamKeys } from "@sallyport/shared/crypto/envelope.ts";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { type AgentMessage, createAgentStream } from "@sallyport/shared/protocol/agent-stream.ts";
import {
  createOpener,
  createSealer,
  creditBody,
  FRAME,
  type FrameType,
  jsonBody,
} from "@sallyport/shared/protocol/frames.ts";
import { type HelloRecord, verifyHello } from "@sallyport/shared/protocol/hello.ts";
import { CHALLENGE_HEADER, PURPOSE_HEADER, WEBSOCKET_PROTOCOL } from "@sallyport/shared/protocol/records.ts";
import { type SessionRequestPayload, sealRequest } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { WebSocket } from "ws";
import { pathOf } from "./orchestrator.ts";
import type { Site } from "./site.ts";

export interface DialOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly ping?: boolean;
}

export type Dialled =
  | { readonly ok: true; readonly sender: Sender }
  | { readonly ok: false; readonly status: number; readonly reason: string };

export interface Sender {
  readonly socket: WebSocket;
  readonly hello: HelloRecord;
  /** Seals a request to this session's hello and sends it. */
  request(change?: Partial<SessionRequestPayload>, signer?: Signer): Promise<StreamKeys>;
  /** Sends a sealed frame. */
  send(type: FrameType, body: Uint8Array): void;
  /** Opened messages until the last one, crediting all that costs credit; `each` hears every one of them. */
  messages(each?: (message: AgentMessage) => void): Promise<AgentMessage[]>;
  /** Code of the WebSocket's close. */
  readonly closed: Promise<number>;
}

/** Connects as a sender with a fresh challenge; `headers` replaces it. */
export async function dial(site: Site, options: DialOptions = {}): Promise<Dialled> {
  const host = `localhost:${site.relay.controlPort}`;
  const path = pathOf(site.agentId());
  const challenge = randomBytes(32).toString("base64url");
  const rule = { host: site.names.relay, keyName: "send", key: site.sendKey };
  const agent = new Agent({ ca: site.authority.caPem, keepAlive: false });
  const socket = new WebSocket(connectUrl(host, path, randomBytes(8).toString("hex")), [WEBSOCKET_PROTOCOL], {
    agent,
    perMessageDeflate: false,
    headers: {
      ServiceBusAuthorization: sharedAccessSignature(rule, path, Math.floor(Date.now() / 1000) + 60),
      ...(options.headers ?? { [CHALLENGE_HEADER]: challenge }),
      ...(options.ping === true ? { [PURPOSE_HEADER]: "ping" } : {}),
    },
  });
  const refused = new Promise<Dialled>((resolve) => {
    socket.on("unexpected-response", (request, response) => {
      resolve({ ok: false, status: response.statusCode ?? 0, reason: response.statusMessage ?? "" });
      response.resume();
      request.destroy();
    });
    socket.on("error", (error) => resolve({ ok: false, status: 0, reason: error.message }));
  });
  const incoming = on(socket, "message", { close: ["close"] });
  const closed = once(socket, "close").then(([code]) => {
    agent.destroy();
    return code as number;
  });
  const opened = once(socket, "open").then(() => undefined);
  const result = await Promise.race([refused, opened]);
  if (result !== undefined) return result;
  const first = (await incoming.next()) as { value: [Buffer] };
  const registered = site.orchestrator.agents.get(site.agentId())!;
  const hello = await verifyHello(first.value[0], {
    agent: registered.id,
    site: registered.site,
    challenge,
    identity: registered.identity,
    kid: registered.kid,
  });
  return { ok: true, sender: createSender(site, socket, hello, incoming, closed) };
}

function createSender(
  site: Site,
  socket: WebSocket,
  hello: HelloRecord,
  incoming: AsyncIterator<unknown[]> & AsyncIterable<unknown[]>,
  closed: Promise<number>,
): Sender {
  let keys: StreamKeys | undefined;
  let seal: ReturnType<typeof createSealer> | undefined;
  return {
    socket,
    hello,
    closed,
    async request(change = {}, signer = site.orchestrator.signer) {
      const sealed = await sealRequest({ ...pingRequest(hello), ...change }, hello, signer);
      keys = sealed.keys;
      seal = createSealer(keys.toAgent);
      socket.send(sealed.record);
      return keys;
    },
    send: (type, body) => socket.send(seal!(type, body)),
    async messages(each = () => {}) {
      const open = createOpener(keys!.toOrchestrator);
      const next = createAgentStream(DEFAULT_LIMITS.rowBytes);
      const all: AgentMessage[] = [];
      for await (const [data] of incoming) {
        const record = data as Buffer;
        const frame = open(record);
        if (frame.type <= FRAME.result) socket.send(seal!(FRAME.credit, creditBody(record.byteLength)));
        const message = next(frame);
        if (message === undefined) continue;
        all.push(message);
        each(message);
        if (message.kind === "end" || message.kind === "error") break;
      }
      return all;
    },
  };
}

/** A request for agent.ping to this session; tests change what they need. */
export function pingRequest({ hello, hash }: HelloRecord): SessionRequestPayload {
  return {
    v: 1,
    id: randomBytes(16).toString("hex"),
    hello: hash.toString("base64url"),
    agent: hello.agent,
    site: hello.site,
    tenant: "contoso",
    connection: null,
    caller: "key:test",
    iat: Math.floor(Date.now() / 1000),
    operation: { op: "agent.ping" },
    credential: null,
    limits: DEFAULT_LIMITS,
    window: 4 * 2 ** 20,
  };
}

export const cancelFrame = (): Buffer => jsonBody({ reason: "test" });
