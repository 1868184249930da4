/** The one request out, and what comes back for it, over a session whose hello was checked. */
import { AsyncResource } from "node:async_hooks";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import type { HelloRecord } from "@sallyport/shared/protocol/hello.ts";
import { type SessionRequestPayload, sealRequest } from "@sallyport/shared/protocol/request.ts";
import { isRepeatable } from "@sallyport/shared/schema/write-operations.ts";
import type { WebSocket } from "ws";
import { agentSpans } from "../telemetry/agent-spans.ts";
import type { Span } from "../telemetry/telemetry.ts";
import { receive } from "./receive.ts";
import type { Consumer, SessionInput, SessionOutcome } from "./session.ts";

/** A peer that does not answer the close must not keep the socket. */
const CLOSE_MS = 2_000;

/** A session whose hello was checked; `input` are the rows of a write. */
export interface Opened {
  readonly socket: WebSocket;
  readonly hello: HelloRecord;
  readonly signer: Signer;
  readonly input?: SessionInput | undefined;
  /** Gets the agent's own spans, where the request named it as its parent. */
  readonly span?: Span | undefined;
}

/**
 * Seals the request to the hello's key and receives until the last frame. The socket is ended whatever happens.
 * @throws what making the payload, signing it, or the consumer throws
 */
export async function exchange(
  { socket, hello, signer, input, span }: Opened,
  payloadOf: () => Promise<SessionRequestPayload>,
  consumer: Consumer,
  signal: AbortSignal,
): Promise<SessionOutcome> {
  let payload: SessionRequestPayload;
  let sealed: Awaited<ReturnType<typeof sealRequest>>;
  try {
    payload = await payloadOf();
    sealed = await sealRequest(payload, hello, signer);
  } catch (thrown) {
    socket.terminate(); // an agent that waits for its request is busy with it
    throw thrown;
  }
  const receiving = receive(
    { send: (bytes) => socket.send(bytes), close: (code, reason) => socket.close(code, reason) },
    consumer,
    {
      keys: sealed.keys,
      limits: payload.limits,
      windowBytes: payload.window,
      agent: payload.agent,
      policy: hello.hello.policy,
      maskKey: hello.hello.maskKey,
      input,
      unsure: unsureOf(payload),
    },
    signal,
  );
  socket.removeAllListeners("message"); // the one that closes on whatever comes before the request
  const sentMs = Date.now();
  let [firstMs, lastMs] = [0, sentMs];
  const onMessage = (data: Buffer, isBinary: boolean) => {
    lastMs = Date.now();
    firstMs ||= lastMs;
    receiving.message(isBinary ? data : Buffer.of(0));
  };
  // A socket's events belong to whoever opened it; what the rows make somebody do belongs to the request.
  socket.on("message", AsyncResource.bind(onMessage));
  socket.on("close", () => receiving.closed());
  if (socket.readyState === socket.OPEN) socket.send(sealed.record);
  else receiving.closed(); // while the request was sealed
  try {
    const outcome = await receiving.outcome;
    const { timings } = outcome;
    if (span !== undefined && timings !== undefined) {
      const { agent, operation } = payload;
      const facts = { "sallyport.agent": agent };
      const code = outcome.ok ? undefined : outcome.code;
      span.tell(agentSpans({ waited: { sentMs, firstMs, lastMs }, timings, operation: operation.op, facts, code }));
    }
    return outcome;
  } finally {
    setTimeout(() => socket.terminate(), CLOSE_MS).unref();
  }
}

/** Once a write was sealed it is never repeated, unless it is one that cannot be done twice. */
function unsureOf({ operation }: SessionRequestPayload): "never" | "after input" | "always" {
  if (isRepeatable(operation)) return "never";
  return operation.op === "sql.write" ? "after input" : "always";
}
