/**
 * One session, from the rendezvous to its last frame (PROTOCOL.md section 4): hello, one request, policy, the
 * supervisor's go once the journal has its line, the connector, the end.
 */
import type { KeyObject } from "node:crypto";
import { fromBase64url, sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateSessionKey, type SessionKey } from "@sallyport/shared/crypto/envelope.ts";
import { type ErrorDetail, isRetryable, SallyportError, toSallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import {
  DEFAULT_WINDOW_BYTES,
  InvalidRequest,
  openRequest,
  REQUEST_FRESH_SECONDS,
  type SessionRequestPayload,
} from "@sallyport/shared/protocol/request.ts";
import { systemClock } from "../clock.ts";
import { keysByKid } from "../supervisor/pinning.ts";
import { judge } from "./judge.ts";
import type { EndReport, SessionOrder } from "./messages.ts";
import { type Connectors, loadConnectors, perform } from "./perform.ts";
import { parsePolicy } from "./policy.ts";
import { dialRendezvous, type Rendezvous } from "./rendezvous.ts";
import { createSealedStream, type SealedStream } from "./stream.ts";
import { type Supervisor, talkToSupervisor } from "./supervisor-link.ts";

/** Says that it is ready, waits for an order, serves it. Never throws: how it ended is told to the supervisor. */
export async function serveOneSession(): Promise<void> {
  const supervisor = talkToSupervisor();
  const connectors = loadConnectors();
  await supervisor.say({ say: "ready" });
  const order = await supervisor.order;
  let report: EndReport;
  try {
    report = await serve(order, supervisor, connectors);
  } catch (thrown) {
    report = { say: "end", code: asOurs(thrown).code, rowsOut: 0, bytesOut: 0 };
  }
  await supervisor.say(report);
}

async function serve(order: SessionOrder, supervisor: Supervisor, connectors: Connectors): Promise<EndReport> {
  const network = {
    ...(order.caPem === undefined ? {} : { caPem: order.caPem }),
    ...(order.proxy === undefined ? {} : { proxy: order.proxy }),
  };
  const [sessionKey, rendezvous, pinned] = await Promise.all([
    generateSessionKey(),
    dialRendezvous(order.address, network),
    keysByKid(order.keys),
  ]);
  try {
    await supervisor.say({ say: "key", key: toBase64url(sessionKey.publicKey) });
    const hello = fromBase64url(await supervisor.hello) ?? Buffer.alloc(0);
    const opened = await receiveRequest(order, rendezvous, sessionKey, hello, pinned);
    const { stream } = opened;
    void rendezvous.closed.then(() =>
      stream.stop(new SallyportError("protocol.truncated", "The other side closed the session.")),
    );
    supervisor.onInterrupt({ finish: () => stream.finish(), stop: (error) => stream.stop(error) });
    const error = await answer(opened, order, supervisor, connectors);
    stream.end();
    await rendezvous.close(isViolation(error) ? 1002 : 1000);
    return { say: "end", rowsOut: stream.totals.rows, bytesOut: stream.totals.bytes, ...endOf(error) };
  } catch (thrown) {
    await rendezvous.close(1002);
    throw thrown;
  }
}

interface Opened {
  readonly stream: SealedStream;
  readonly request: SessionRequestPayload | InvalidRequest;
}

/**
 * Sends the hello and takes the one request, at most 30 s later by the monotonic clock. What follows goes to the stream.
 * @throws request.expired, protocol.order, protocol.integrity, request.refused: nothing can be answered to these.
 */
async function receiveRequest(
  order: SessionOrder,
  rendezvous: Rendezvous,
  sessionKey: SessionKey,
  hello: Buffer,
  pinned: ReadonlyMap<string, KeyObject>,
): Promise<Opened> {
  const first = Promise.withResolvers<Uint8Array | "text">();
  const early: (Uint8Array | "text")[] = [];
  let deliver = (message: Uint8Array | "text"): void => {
    first.resolve(message);
    deliver = (next) => {
      // A second message while the first is being opened: kept in order, and no more of them than a peer has a reason for.
      if (early.push(next) > 64) void rendezvous.close(1002);
    };
  };
  rendezvous.onMessage((message) => deliver(message));
  rendezvous.send(hello);
  const fuse = setTimeout(
    () => first.reject(new SallyportError("request.expired", "No request came within 30 seconds of the hello.")),
    REQUEST_FRESH_SECONDS * 1000,
  );
  void rendezvous.closed.then(() =>
    first.reject(new SallyportError("protocol.truncated", "The session closed before its request.")),
  );
  const message = await first.promise.finally(() => clearTimeout(fuse));
  if (message === "text") throw new SallyportError("protocol.order", "A text message arrived.");
  const bound = { hash: sha256(hello), agent: order.agent, site: order.site };
  const opened = await openRequest(message, sessionKey, bound, (kid) => pinned.get(kid)).catch((error: unknown) => {
    if (error instanceof InvalidRequest) return { request: error, keys: error.keys };
    throw error;
  });
  const { request, keys } = opened;
  const windowBytes = request instanceof InvalidRequest ? DEFAULT_WINDOW_BYTES : request.window;
  const stream = createSealedStream({
    keys,
    windowBytes,
    send: (record) => rendezvous.send(record),
    clock: systemClock,
  });
  deliver = (next) => stream.message(next);
  for (const next of early) stream.message(next);
  return { stream, request };
}

/** Serves the request and sends the last frame. Answers the error, where it ended with one. */
async function answer(
  { stream, request }: Opened,
  order: SessionOrder,
  supervisor: Supervisor,
  connectors: Connectors,
): Promise<SallyportError | undefined> {
  const startedMs = systemClock.monotonicMs();
  try {
    if (request instanceof InvalidRequest) throw request;
    if (request.tenant !== order.tenant)
      throw new SallyportError("request.refused", "The request is for another tenant.");
    const now = new Date();
    const judgement = judge(request, parsePolicy(order.policy, now), order.ping, fromBase64url(order.loginKey)!, now);
    await supervisor.say(judgement.report);
    await supervisor.go;
    const outcome = await perform(judgement.work, { request, order, stream, connectors });
    stream.signal.throwIfAborted();
    const { rows, bytes, batches } = stream.totals;
    const executedMs = systemClock.monotonicMs() - startedMs;
    const { complete, position = null } = outcome;
    await stream.sendJson(FRAME.end, { rows, bytes, batches, position, complete, executedMs });
    return undefined;
  } catch (thrown) {
    // What stopped the session is why it failed, whatever the driver made of it.
    const error = asOurs(stream.signal.aborted ? stream.signal.reason : thrown);
    if (!isViolation(error)) await stream.sendJson(FRAME.error, errorBodyOf(error));
    return error;
  }
}

/** Errors after which nothing more is said: the other side broke the protocol, or is not who it should be. */
const isViolation = (error: SallyportError | undefined): boolean => error?.code.startsWith("protocol.") === true;

const asOurs = (thrown: unknown): SallyportError =>
  toSallyportError(thrown, "executor.crashed", "The session failed for a reason that is not the source's.");

function errorBodyOf(error: SallyportError) {
  const message = error.message.replace(/\p{Cc}/gu, " ").slice(0, 500);
  // The owner's file is nobody's business but the owner's.
  const detail = error.code === "policy.invalid" ? {} : clip(error.detail);
  return { code: error.code, message, retryable: isRetryable(error.code), detail };
}

/** Cuts what an error frame would not carry. */
const clip = (detail: ErrorDetail): ErrorDetail =>
  Object.fromEntries(
    Object.entries(detail)
      .slice(0, 16)
      .map(([name, value]) => {
        if (typeof value === "string") return [name, value.slice(0, 256)];
        return [name, Array.isArray(value) ? value.slice(0, 16).map((each) => String(each).slice(0, 256)) : value];
      }),
  );

/** Code and the driver's number and state, for the journal. */
function endOf(error: SallyportError | undefined): Pick<EndReport, "code" | "source"> {
  if (error === undefined) return {};
  const { number, state } = error.detail;
  if (typeof number !== "number" || !Number.isInteger(number)) return { code: error.code };
  const source = `${number}${typeof state === "number" ? `/${state}` : ""}`;
  return /^[0-9]{1,6}(\/[0-9]{1,3})?$/.test(source) ? { code: error.code, source } : { code: error.code };
}
