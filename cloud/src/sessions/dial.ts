/** The sender's end of a hybrid connection: one WebSocket to one agent. */
import { Agent } from "node:https";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import {
  CHALLENGE_HEADER,
  MAX_MESSAGE_BYTES,
  PURPOSE_HEADER,
  WEBSOCKET_PROTOCOL,
} from "@sallyport/shared/protocol/records.ts";
import { WebSocket } from "ws";
import { connectUrl } from "../relay.ts";

export interface Dial {
  readonly host: string;
  readonly path: string;
  /** Value of `ServiceBusAuthorization`: a shared access signature or a bare Entra token. It never stands in an address. */
  readonly authorization: string;
  readonly challenge: string;
  readonly purpose?: "ping";
  readonly requestId: string;
}

export type Dialled =
  | { readonly ok: true; readonly socket: WebSocket }
  /** The relay's or the agent's refusal: a hint which agent to try next. */
  | { readonly ok: false; readonly code: ErrorCode; readonly status: number; readonly reason: string };

const HANDSHAKE_MS = 35_000; // the relay itself gives a listener 30 s to accept

/** Statuses of the relay's handshake (relay-hybrid-connections-protocol: sender). */
function refusalOf(status: number, reason: string): ErrorCode {
  // Whatever is said behind it: to its own words the relay adds ". TrackingId:…".
  const ownWord = /^[a-z_]+(?:\.[a-z_]+)*/.exec(reason)?.[0] ?? "";
  if (status === 503 && isErrorCode(ownWord) && ownWord.startsWith("agent.")) return ownWord;
  return "agent.offline";
}

export function dial(options: Dial, signal: AbortSignal): Promise<Dialled> {
  const agent = new Agent({ keepAlive: false, minVersion: "TLSv1.2" });
  const socket = new WebSocket(connectUrl(options.host, options.path, options.requestId), [WEBSOCKET_PROTOCOL], {
    agent,
    headers: {
      ServiceBusAuthorization: options.authorization,
      [CHALLENGE_HEADER]: options.challenge,
      ...(options.purpose === undefined ? {} : { [PURPOSE_HEADER]: options.purpose }),
    },
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  return new Promise((resolve) => {
    const onAbort = () => socket.terminate();
    const settle = (dialled: Dialled) => {
      signal.removeEventListener("abort", onAbort);
      if (!dialled.ok) agent.destroy();
      resolve(dialled);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    socket.on("unexpected-response", (request, response) => {
      const status = response.statusCode ?? 0;
      const reason = response.statusMessage ?? "";
      settle({ ok: false, code: refusalOf(status, reason), status, reason });
      response.resume();
      request.destroy();
    });
    socket.on("error", (error) => settle({ ok: false, code: "agent.offline", status: 0, reason: error.message }));
    socket.on("open", () => {
      socket.pause(); // the hello may already be in the buffer; whoever listens for it resumes
      settle({ ok: true, socket });
    });
  });
}
