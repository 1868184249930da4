/**
 * One session, from the rendezvous to its last frame (docs/protocol.md, "Session"): hello, one request, policy, the
 * supervisor's go once the journal has its line, the connector, the end.
 */
import "../interpret-schemas.ts";
import { fromBase64url, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateSessionKey } from "@sallyport/shared/crypto/envelope.ts";
import { SallyportError, toSallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import { InvalidRequest } from "@sallyport/shared/protocol/request.ts";
import { systemClock } from "../clock.ts";
import { keysByKid } from "../pinning.ts";
import type { EndReport, SessionOrder } from "../pipe/messages.ts";
import { policyFrom } from "../policy/value.ts";
import { dropReading } from "../program.ts";
import { errorBodyOf } from "./error-body.ts";
import { judge, type Work } from "./judge.ts";
import { createKerberos } from "./kerberos.ts";
import { type Connectors, loadConnectors, perform } from "./perform.ts";
import { type Opened, receiveRequest } from "./receive-request.ts";
import { dialRendezvous } from "./rendezvous.ts";
import { type Go, type Supervisor, talkToSupervisor } from "./supervisor-link.ts";
import { openWork } from "./unseal.ts";

/** Says that it is ready, waits for an order, serves it. Never throws: how it ended is told to the supervisor. */
export async function serveOneSession(): Promise<void> {
  const supervisor = talkToSupervisor();
  const connectors = loadConnectors();
  void Promise.allSettled(Object.values(connectors)).then(dropReading);
  await supervisor.say({ say: "ready" });
  const order = await supervisor.order;
  let report: EndReport;
  const facts: SessionFacts = { loginSent: false, rowsIn: undefined };
  try {
    report = await serve(order, supervisor, connectors, facts);
  } catch (thrown) {
    report = { say: "end", code: asOurs(thrown).code, rowsOut: 0, bytesOut: 0, ...reported(facts) };
  }
  await supervisor.say(report);
}

/** What is told of a session however it ended. */
interface SessionFacts {
  /** A credential has left this process. */
  loginSent: boolean;
  /** Rows that came to be written; undefined for an operation that takes none. */
  rowsIn: number | undefined;
}

const reported = ({ loginSent, rowsIn }: SessionFacts): Pick<EndReport, "unsent" | "rowsIn"> => ({
  ...(rowsIn === undefined ? {} : { rowsIn }),
  ...(loginSent ? {} : { unsent: true }),
});

async function serve(
  order: SessionOrder,
  supervisor: Supervisor,
  connectors: Connectors,
  facts: SessionFacts,
): Promise<EndReport> {
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
    const opened = await receiveRequest(rendezvous, { order, sessionKey, hello, pinned, clock: systemClock });
    const { stream } = opened;
    void rendezvous.closed.then(() =>
      stream.stop(new SallyportError("protocol.truncated", "The other side closed the session.")),
    );
    supervisor.onInterrupt({ finish: () => stream.finish(), stop: (error) => stream.stop(error) });
    const error = await answer(opened, order, supervisor, connectors, facts);
    stream.end();
    await rendezvous.close(isViolation(error) ? 1002 : 1000);
    const { rows: rowsOut, bytes: bytesOut } = stream.totals;
    return { say: "end", rowsOut, bytesOut, ...endOf(error), ...reported(facts) };
  } catch (thrown) {
    await rendezvous.close(1002);
    throw thrown;
  }
}

/** Serves the request and sends the last frame. Answers the error, where it ended with one. */
async function answer(
  { stream, request, stopwatch }: Opened,
  order: SessionOrder,
  supervisor: Supervisor,
  connectors: Connectors,
  facts: SessionFacts,
): Promise<SallyportError | undefined> {
  const startedMs = systemClock.monotonicMs();
  const isTraced = !(request instanceof InvalidRequest) && request.traceparent !== undefined;
  const timings = () => (isTraced ? { timings: stopwatch.read() } : {});
  try {
    if (request instanceof InvalidRequest) throw request;
    if (request.tenant !== order.tenant)
      throw new SallyportError("request.refused", "The request is for another tenant.");
    const now = new Date();
    const policy = policyFrom(order.policy, now);
    const loginKey = fromBase64url(order.loginKey)!;
    const judgement = judge(request, policy, order.ping, loginKey, now);
    await supervisor.say(judgement.report);
    const go = await supervisor.go;
    if (judgement.work.do !== "refuse") stopwatch.mark("allowedMs");
    const work = await openWork(within(judgement.work, go), { supervisor, policy, loginKey, now });
    const onLogin = (step: "sent" | "accepted"): void => {
      stopwatch.mark(step === "sent" ? "loginMs" : "acceptedMs");
      if (step === "sent") facts.loginSent = true;
      else void supervisor.say({ say: "accepted" });
    };
    const onRowsIn = (rows: number): void => {
      facts.rowsIn = rows;
    };
    const onSending = (bytes: number): Promise<void> => supervisor.say({ say: "sending", bytes });
    const maskKey = go.maskKey === undefined ? undefined : fromBase64url(go.maskKey);
    const told = { onLogin, onSending, onRowsIn };
    const kerberos = createKerberos(supervisor);
    const performance = { request, order, stream, stopwatch, connectors, ...told, maskKey, kerberos };
    const outcome = await perform(work, performance);
    if (outcome.committed !== true) stream.signal.throwIfAborted();
    const { rows, bytes, batches } = stream.totals;
    const executedMs = systemClock.monotonicMs() - startedMs;
    const { complete, position = null, warnings = [] } = outcome;
    await stream.sendJson(FRAME.end, { rows, bytes, batches, position, complete, executedMs, warnings, ...timings() });
    return undefined;
  } catch (thrown) {
    // What stopped the session is why it failed, whatever the driver made of it.
    const error = asOurs(stream.signal.aborted && !isUnknown(thrown) ? stream.signal.reason : thrown);
    if (!isViolation(error)) await stream.sendJson(FRAME.error, { ...errorBodyOf(error), ...timings() });
    return error;
  }
}

/** Whoever stopped it, the person who asked has to know that nobody can say whether it was done. */
const isUnknown = (thrown: unknown): boolean =>
  thrown instanceof SallyportError && thrown.code === "write.outcome_unknown";

/** The owner's day may leave less than the session's own limits. */
function within(work: Work, { bytes = Number.POSITIVE_INFINITY, rows = Number.POSITIVE_INFINITY }: Go): Work {
  if (work.do !== "serve") return work;
  const { limits, grant } = work.allowed;
  // Of a change `limits.bytes` are those that come in; what it sends is one result, however little the day has left.
  const isChanging = grant.kind === "write" || grant.kind === "call" || grant.kind === "directoryWrite";
  const least = {
    ...limits,
    bytes: isChanging ? limits.bytes : Math.min(limits.bytes, bytes),
    rows: Math.min(limits.rows, rows),
  };
  return work.kind === "mssql"
    ? { ...work, allowed: { ...work.allowed, limits: least } }
    : { ...work, allowed: { ...work.allowed, limits: least } };
}

/** Errors after which nothing more is said: the other side broke the protocol, or is not who it should be. */
const isViolation = (error: SallyportError | undefined): boolean => error?.code.startsWith("protocol.") === true;

const asOurs = (thrown: unknown): SallyportError =>
  toSallyportError(thrown, "executor.crashed", "The session failed for a reason that is not the source's.");

/** Code and the driver's number and state, for the journal. */
function endOf(error: SallyportError | undefined): Pick<EndReport, "code" | "source"> {
  if (error === undefined) return {};
  const { number, state } = error.detail;
  if (typeof number !== "number" || !Number.isInteger(number)) return { code: error.code };
  // A directory's state is Windows' number of it, in hexadecimal digits.
  const source = `${number}${typeof state === "number" || typeof state === "string" ? `/${state}` : ""}`;
  return /^[0-9]{1,6}(\/[0-9a-f]{1,8})?$/.test(source) ? { code: error.code, source } : { code: error.code };
}
