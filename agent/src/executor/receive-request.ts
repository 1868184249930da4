/** The hello out, the one request in; what comes after it goes to the sealed stream. */
import type { KeyObject } from "node:crypto";
import { sha256 } from "@sallyport/shared/crypto/bytes.ts";
import type { SessionKey } from "@sallyport/shared/crypto/envelope.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  DEFAULT_WINDOW_BYTES,
  InvalidRequest,
  openRequest,
  REQUEST_FRESH_SECONDS,
  type SessionRequestPayload,
} from "@sallyport/shared/protocol/request.ts";
import type { Clock } from "../clock.ts";
import type { SessionOrder } from "../pipe/messages.ts";
import type { Rendezvous } from "./rendezvous.ts";
import { createSealedStream, type SealedStream } from "./stream.ts";
import { createStopwatch, type Stopwatch } from "./timings.ts";

/** Messages that may wait while the first one is being opened. */
const MAX_EARLY = 64;

export interface Opened {
  readonly stream: SealedStream;
  /** A genuine request that does not fit the schema still has keys, so that its refusal is sent sealed. */
  readonly request: SessionRequestPayload | InvalidRequest;
  /** Runs since the request was opened. */
  readonly stopwatch: Stopwatch;
}

export interface ReceiveDeps {
  readonly order: Pick<SessionOrder, "agent" | "site">;
  readonly sessionKey: SessionKey;
  /** The hello record as the supervisor signed it. */
  readonly hello: Uint8Array;
  readonly pinned: ReadonlyMap<string, KeyObject>;
  readonly clock: Clock;
}

/**
 * Sends the hello and takes the one request, at most 30 s later by the monotonic clock: wall clocks decide nothing.
 * @throws request.expired, protocol.order, protocol.integrity, protocol.truncated, request.refused: nothing can be
 *   answered to these.
 */
export async function receiveRequest(rendezvous: Rendezvous, deps: ReceiveDeps): Promise<Opened> {
  const { order, hello, clock } = deps;
  const first = Promise.withResolvers<Uint8Array | "text">();
  const early: (Uint8Array | "text")[] = [];
  let deliver = (message: Uint8Array | "text"): void => {
    first.resolve(message);
    deliver = (next) => {
      early.push(next);
      if (early.length <= MAX_EARLY) return;
      // The close takes a while, and a flood would go on until it is through.
      deliver = () => {};
      void rendezvous.close(1002);
    };
  };
  rendezvous.onMessage((message) => deliver(message));
  rendezvous.send(hello);
  const came = new AbortController();
  clock.sleep(REQUEST_FRESH_SECONDS * 1000, came.signal).then(
    () => first.reject(new SallyportError("request.expired", "No request came within 30 seconds of the hello.")),
    () => {},
  );
  void rendezvous.closed.then(() =>
    first.reject(new SallyportError("protocol.truncated", "The session closed before its request.")),
  );
  const message = await first.promise.finally(() => came.abort());
  if (message === "text") throw new SallyportError("protocol.order", "A text message arrived.");
  const { request, keys } = await openOnce(message, deps, {
    hash: sha256(hello),
    agent: order.agent,
    site: order.site,
  });
  const stopwatch = createStopwatch(clock);
  const windowBytes = request instanceof InvalidRequest ? DEFAULT_WINDOW_BYTES : request.window;
  const send = (record: Uint8Array): void => {
    stopwatch.mark("firstFrameMs");
    rendezvous.send(record);
  };
  const stream = createSealedStream({ keys, windowBytes, send, clock });
  deliver = (next) => stream.message(next);
  for (const next of early) stream.message(next);
  return { stream, request, stopwatch };
}

async function openOnce(message: Uint8Array, deps: ReceiveDeps, bound: { hash: Buffer; agent: string; site: string }) {
  try {
    return await openRequest(message, deps.sessionKey, bound, (kid) => deps.pinned.get(kid));
  } catch (error) {
    if (error instanceof InvalidRequest) return { request: error, keys: error.keys };
    throw error;
  }
}
