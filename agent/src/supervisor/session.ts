/**
 * The supervisor's side of one session: it signs one hello, writes the journal's two lines, and watches the executor,
 * which is an untrusted party here.
 */
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { buildHello, PROTOCOL_VERSION } from "@sallyport/shared/protocol/hello.ts";
import { operationName } from "../journal/line.ts";
import { type EndReport, type RequestReport, SENDING_STEP_BYTES, type ToSupervisor } from "../pipe/messages.ts";
import { VERSION } from "../version.ts";
import { type Place, roomOf } from "./budgets.ts";
import type { Executor, ExecutorExit } from "./executors.ts";
import { ruleHashes } from "./masking.ts";
import { credibleBytes, isPlausible, limitsOf, writingOf } from "./plausible.ts";
import type { Offer, SessionDeps } from "./session-deps.ts";
import { codeOf, countedLogins, endFacts, idsOf, loginLine, requestLine } from "./session-lines.ts";
import { createSigningIn } from "./sign-in.ts";
import { createUnsealing, type UnsealFor } from "./unseal.ts";

/** What this agent can serve, as its hello says. */
export const OPERATIONS = operationName.options;

/** From the accept to the request: dialling 20 s, waiting 30 s, opening. */
const REQUEST_WITHIN_MS = 75_000;
/** What an executor may take longer than its own limits before it is killed. */
const GRACE_MS = 30_000;
/** Between its last word and its exit. */
const EXIT_WITHIN_MS = 10_000;
/** What an executor that was told to stop may take to end its statement and say so. */
const STOP_WITHIN_MS = 3_000;

export interface RunningSession {
  /** Settles when the executor has gone and the journal has its last line. */
  readonly ended: Promise<void>;
  /** A canary's: it serves nothing but `agent.ping`. */
  readonly ping: boolean;
  /** What its request reads from, once it was allowed. */
  readonly connection: string | undefined;
  /** Stop at the next checkpoint. */
  finish(): void;
  /** Stop now, with this code; but for a drain, what has not said so within 3 s is killed. */
  stop(code: ErrorCode, message: string): void;
}

/** Serves one accepted offer with one executor. Never rejects: what goes wrong stands in journal and log. */
export function runSession(offer: Offer, executor: Executor, deps: SessionDeps): RunningSession {
  const { pinned, policy, network, clock } = deps;
  const done = new AbortController();
  let expected: ToSupervisor["say"] | "nothing" = "key";
  let request: RequestReport | undefined;
  /** SHA-256 of the hello that was signed. */
  let hello: Uint8Array | undefined;
  let requestedMs = 0;
  let accepted = false;
  let announcedBytes = SENDING_STEP_BYTES;
  let end: EndReport | undefined;
  let place: Place | undefined;
  /** While it may open what is sealed: it has a place in its connection, and nobody refused it anything. */
  let served: UnsealFor | undefined;
  /** With which code it was told to stop. */
  let stopped: ErrorCode | undefined;
  /** The login that was counted. */
  let tried: string | undefined;
  let deadline = new AbortController();

  /** Who stops it wants it gone. A drain has a time of its own, for what takes longer to roll back. */
  const hurries = (): boolean => stopped !== undefined && stopped !== "agent.draining";
  const killAfter = (ms: number): void => {
    deadline.abort();
    deadline = new AbortController();
    const withinMs = hurries() ? Math.min(ms, STOP_WITHIN_MS) : ms;
    clock.sleep(withinMs, AbortSignal.any([deadline.signal, done.signal])).then(
      () => executor.kill("deadline"),
      () => {},
    );
  };

  const onKey = async (key: string): Promise<void> => {
    const built = await buildHello(
      {
        v: PROTOCOL_VERSION,
        agent: pinned.agent,
        site: pinned.site,
        challenge: offer.challenge,
        key,
        iat: Math.floor(clock.wallMs() / 1000),
        version: VERSION,
        policy: policy.digest,
        maskKey: deps.maskKey?.id ?? null,
        maxSessions: deps.maxSessions,
        operations: [...OPERATIONS],
      },
      deps.signer,
    );
    hello = built.hash;
    executor.send({ say: "hello", record: toBase64url(built.record) });
  };

  const onRequest = (report: RequestReport): void => {
    if (!isPlausible(report, offer.ping, policy.policy)) {
      executor.kill("protocol");
      return;
    }
    deps.heard(report.request, offer.ping);
    // Two that run under one id would have one end line between them. The id is the orchestrator's, not the executor's.
    if (deps.running.has(report.request)) {
      refuse(new SallyportError("request.refused", "A request of this id is running."));
      return;
    }
    const refusal = report.decision === "allow" ? takePlace(report) : undefined;
    if (!noteRequest(report, refusal)) {
      count(() => {
        place?.loginUnsent();
        place?.release(0, 0);
      });
      refuse(new SallyportError("agent.journal_unwritable", "The agent cannot write its journal."));
      return;
    }
    request = report;
    deps.running.add(report.request);
    requestedMs = clock.monotonicMs();
    killAfter(report.seconds * 1000 + GRACE_MS);
    if (refusal !== undefined) {
      refuse(refusal);
      return;
    }
    if (report.decision === "allow" && !offer.ping && place && hello) served = { request: report, hello };
    executor.send({ say: "go", ...roomOf(place), ...maskKeyFor(report) });
  };

  /** Only to whom a rule makes hash: an executor holds no more keys than it needs. */
  const maskKeyFor = ({ connection, rule }: RequestReport): { maskKey?: string } =>
    deps.maskKey !== undefined && ruleHashes(policy.policy, connection, rule)
      ? { maskKey: toBase64url(deps.maskKey.key) }
      : {};

  const refuse = ({ code, message }: SallyportError): void => {
    served = undefined;
    executor.send({ say: "refuse", code, message });
  };

  /** The journal's line before anything is contacted. False: it could not be written. */
  const noteRequest = (report: RequestReport, refusal: SallyportError | undefined): boolean => {
    try {
      deps.journal.append(requestLine(report, refusal, place, deps));
      return true;
    } catch (error) {
      deps.log.error({ why: (error as Error).message }, "no journal line, so no session");
      return false;
    }
  };

  const takePlace = (report: RequestReport): SallyportError | undefined => {
    if (report.connection === undefined) return undefined;
    if (!deps.hasConnection(report.connection)) {
      return new SallyportError("policy.denied", "The agent's owner took the connection out of the policy.");
    }
    if (report.run !== undefined && deps.outgrown.has(report.run)) {
      return new SallyportError("limit.memory", "An earlier session of this run outgrew the memory of one.");
    }
    try {
      const { connection, login, bytes = 0 } = report;
      const writing = writingOf(policy.policy, connection, report);
      place = deps.budgets.begin(connection, login, limitsOf(policy.policy, connection), bytes, writing);
      tried = login;
      return undefined;
    } catch (error) {
      return uncounted(error);
    }
  };

  const uncounted = (error: unknown): SallyportError => {
    if (error instanceof SallyportError) return error;
    deps.log.error({ why: (error as Error).message }, "the count of logins could not be written, so no session");
    return new SallyportError("agent.journal_unwritable", "The agent cannot write its state.");
  };

  /** What it counts stays counted in memory; on the disk a failure leaves the stricter count. */
  const count = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      // A login that may not be tried any more has no count left to grow.
      if (error instanceof SallyportError) return;
      deps.log.error({ why: (error as Error).message }, "the counts of a session could not be written");
    }
  };

  const countLogin = (login: string): void => {
    place?.countLogin(login);
    tried = login;
  };

  const unsealing = createUnsealing({
    ...{ journal: deps.journal, pinned, policy: policy.digest, unsealKey: deps.unsealKey },
    ...{ executor, refuse, countLogin, whyUncounted: uncounted },
    whyStopped: () => (stopped === undefined ? undefined : new SallyportError(stopped, "The session was stopped.")),
  });

  const signingIn = createSigningIn(executor, policy.policy, deps.startSignIn);

  /** Whose logins a key may have been for, where it went out and no login of the policy's was named: nobody else knows. */
  const unnamedLogins = (): readonly string[] => {
    if (!unsealing.hasOpened || request?.connection === undefined) return [];
    const listed = countedLogins(request.connection, deps);
    return tried !== undefined && listed.includes(tried) ? [] : listed;
  };

  executor.onMessage((message) => {
    if (message.say === "accepted" && expected === "end" && !accepted) {
      accepted = true;
      return count(() => place?.loginAccepted());
    }
    if (message.say === "sending" && expected === "end" && message.bytes > announcedBytes) {
      announcedBytes = message.bytes;
      return;
    }
    if (expected === "end" && !accepted && (unsealing.takes(message, served) || signingIn.takes(message, served)))
      return;
    // Each message once and in order; anything else is not our executor any more.
    if (message.say !== expected && !(message.say === "end" && expected !== "nothing"))
      return executor.kill("protocol");
    if (message.say === "key") {
      expected = "request";
      void onKey(message.key).catch(() => executor.kill("protocol"));
    } else if (message.say === "request") {
      expected = "end";
      onRequest(message);
    } else if (message.say === "end") {
      expected = "nothing";
      end = { ...message, bytesOut: credibleBytes(message.bytesOut, announcedBytes, place?.bytes) };
      killAfter(EXIT_WITHIN_MS);
    }
  });

  /** What other sessions, and the watch over canaries, have to know of this one's end. */
  const learn = (code: ErrorCode | undefined): void => {
    if (code === "limit.memory" && request?.run !== undefined) deps.outgrown.add(request.run);
    // A ping that came and cannot be read is the other side's mistake, and has come.
    if (offer.ping && end?.code === "request.invalid") deps.heard("unreadable", true);
  };

  const conclude = (exit: ExecutorExit): void => {
    done.abort();
    signingIn.close();
    if (request !== undefined) deps.running.delete(request.request);
    const code = codeOf(exit, end, stopped);
    learn(code);
    const facts = endFacts(code, end);
    const durationMs = Math.round(clock.monotonicMs() - requestedMs);
    // One that broke the order of messages is not believed, and charged all that was reserved.
    const isBelieved = end === undefined && place !== undefined && exit.killed !== "protocol";
    const atMost = isBelieved ? { bytesAtMost: Math.min(place?.bytes ?? 0, announcedBytes) } : {};
    const unnamed = unnamedLogins();
    try {
      const isTried = tried !== undefined && !accepted && end?.unsent !== true;
      for (const login of [...(isTried ? [tried!] : []), ...unnamed])
        if (request !== undefined) deps.journal.append(loginLine(request, login, code, deps));
      if (request === undefined) deps.journal.append({ event: "session", policy: policy.digest, ...facts });
      else deps.journal.append({ event: "end", ...idsOf(request), ...facts, ...atMost, durationMs });
    } catch (error) {
      deps.log.error({ why: (error as Error).message }, "the journal's last line of a session could not be written");
    }
    // After the journal: what goes wrong here must not cost its line.
    count(() => {
      if (end?.unsent === true) place?.loginUnsent();
    });
    for (const login of unnamed) count(() => place?.countLogin(login));
    count(() => place?.release(end?.bytesOut ?? atMost.bytesAtMost, end?.rowsIn));
    deps.log.info({ request: request?.request, op: request?.op, ...facts, killed: exit.killed }, "session ended");
  };

  const begin = async (): Promise<void> => {
    killAfter(REQUEST_WITHIN_MS);
    if (await executor.ready) {
      executor.send({
        say: "session",
        address: offer.address,
        ping: offer.ping,
        state: deps.state,
        memoryBytes: deps.memoryBytes,
        agent: pinned.agent,
        site: pinned.site,
        tenant: pinned.tenant,
        keys: pinned.keys,
        policy: policy.value,
        authorities: { ...policy.authorities },
        ...network,
        loginKey: deps.loginKey,
      });
    }
    conclude(await executor.exited);
  };

  return {
    ended: begin(),
    ping: offer.ping,
    get connection() {
      return request?.connection;
    },
    finish: () => executor.send({ say: "finish" }),
    stop(code, message) {
      stopped ??= code;
      executor.send({ say: "stop", code, message });
      if (hurries()) killAfter(STOP_WITHIN_MS);
    },
  };
}
