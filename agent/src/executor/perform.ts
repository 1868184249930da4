/** Does what the policy allowed: one operation by one connector, under the limits, while the policy goes on allowing it. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import type { Connector, Grant, Outcome, Output, Target, Writer } from "../connectors/connector.ts";
import type { Kerberos } from "../connectors/ldap/sign-in/kerberos.ts";
import type { DirectoryConnector, DirectoryTarget } from "../connectors/ldap/target.ts";
import type { Masking } from "../masks/batch.ts";
import type { SessionOrder } from "../pipe/messages.ts";
import { type Change, isChange } from "../policy/change.ts";
import { decide } from "../policy/decide.ts";
import { policyFrom } from "../policy/value.ts";
import { createInput } from "./input.ts";
import { createMemoryFuse, createTimeFuse } from "./limits.ts";
import { createOutput } from "./output.ts";
import type { SealedStream } from "./stream.ts";
import { type Stopwatch, timed } from "./timings.ts";
import type { OpenedWork } from "./unseal.ts";

const RECHECK_POLICY_MS = 60_000;

export interface Connectors {
  readonly mssql: Promise<Connector>;
  readonly mssqlWriter: Promise<Writer>;
  /** Loaded by the session that needs it: most never do. */
  readonly ldap: () => Promise<DirectoryConnector>;
}

/** Loading takes a few hundred milliseconds, so it begins while the executor waits for its order. */
export function loadConnectors(): Connectors {
  const mssql = import("../connectors/mssql/index.ts").then((module) => module.mssqlConnector);
  const mssqlWriter = import("../connectors/mssql/write/index.ts").then((module) => module.mssqlWriter);
  // A ping needs none; who needs one hears of the failure.
  for (const each of [mssql, mssqlWriter]) each.catch(() => {});
  const ldap = () => import("../connectors/ldap/index.ts").then((module) => module.ldapConnector);
  return { mssql, mssqlWriter, ldap };
}

export interface Performance {
  readonly request: SessionRequestPayload;
  readonly order: SessionOrder;
  readonly stream: SealedStream;
  readonly stopwatch: Stopwatch;
  readonly connectors: Connectors;
  readonly onLogin: (step: "sent" | "accepted") => void;
  /** Told before more is sent: so many bytes at most. */
  readonly onSending: (bytes: number) => Promise<void>;
  /** The site's mask key, where the rule masks with `hash`. */
  readonly maskKey?: Uint8Array | undefined;
  /** For a sign-in to a directory by `negotiate`. */
  readonly kerberos?: Kerberos | undefined;
  /** Told how many rows came to be written, at the end of a write. */
  readonly onRowsIn: (rows: number) => void;
}

/** @throws the refusal, or what the connector throws; the stream's signal has the reason where that was aborted. */
export async function perform(work: OpenedWork, performance: Performance): Promise<Outcome> {
  const { request, order, stream, stopwatch, connectors, onLogin, onSending, onRowsIn, maskKey } = performance;
  if (work.do === "refuse") throw work.error;
  if (work.do === "ping") {
    await stream.sendJson(FRAME.result, order.state);
    return { complete: true };
  }
  const { allowed, asked } = work;
  const masking = work.kind === "mssql" ? maskingOf(work.allowed.grant, maskKey) : undefined;
  const sending = createOutput(stream, allowed.limits, request.window, onSending, masking);
  const output = timed(sending, stopwatch, () => stream.totals.rows);
  const fuse = createTimeFuse(allowed.limits);
  const memory = createMemoryFuse(order.memoryBytes);
  for (const { signal } of [fuse, memory]) {
    signal.addEventListener("abort", () => stream.stop(signal.reason as SallyportError), { once: true });
  }
  // Hours and `until` go on counting while the session runs.
  const recheck = setInterval(() => {
    const now = new Date();
    const decision = decide(policyFrom(order.policy, now), asked, now);
    if ("deny" in decision) stream.stop(new SallyportError("policy.denied", decision.deny.reason));
  }, RECHECK_POLICY_MS);
  try {
    if (work.kind === "activeDirectory") {
      const { kerberos } = performance;
      const target = { ...directoryOf(work, request, order), onLogin, ...(kerberos === undefined ? {} : { kerberos }) };
      const { operation } = work.asked;
      const ldap = await connectors.ldap();
      const serving = () => ldap(target, operation, work.allowed.grant, allowed.limits, output, stream.signal);
      return await (operation.op === "ad.write" ? countedChange(serving, onRowsIn) : serving());
    }
    const { operation } = request;
    const target = { ...databaseOf(work, request, order), onLogin };
    const { grant } = work.allowed;
    if (!isChange(operation)) {
      return await (await connectors.mssql)(target, operation, grant, allowed.limits, output, stream.signal);
    }
    const write = await connectors.mssqlWriter;
    const input = createInput({ limits: allowed.limits, credit: stream.credit, signal: stream.signal });
    stream.onInput((frame, recordBytes) => {
      input.frame(frame, recordBytes);
    });
    try {
      const told = isReading(operation, grant) ? output : afterCommit(output);
      return await write(target, operation, grant, allowed.limits, { input, output: told }, stream.signal);
    } finally {
      onRowsIn(input.rows);
    }
  } finally {
    clearInterval(recheck);
    fuse.clear();
    memory.clear();
  }
}

/** A change of a directory counts as one, where it was made or nobody can tell. */
async function countedChange(write: () => Promise<Outcome>, onRowsIn: (rows: number) => void): Promise<Outcome> {
  onRowsIn(0);
  try {
    const outcome = await write();
    if (outcome.committed === true) onRowsIn(1);
    return outcome;
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "write.outcome_unknown") onRowsIn(1);
    throw thrown;
  }
}

/** What leaves masked; undefined where the rule masks nothing. */
const maskingOf = (grant: Grant, key: Uint8Array | undefined): Masking | undefined =>
  grant.kind === "table" && grant.mask !== undefined ? { masks: grant.mask, key } : undefined;

/** A call that changes nothing: no word of it has to be believed afterwards. */
const isReading = (operation: Change, grant: Grant): boolean =>
  grant.kind === "call" && grant.effect === "read" && operation.idempotencyKey === undefined;

/**
 * A change is answered once it is committed. That the answer cannot be sent, because somebody cancelled meanwhile or it is
 * larger than allowed, undoes nothing, so it must not end as what means that nothing was written.
 */
const afterCommit = (output: Output): Output => ({
  ...output,
  async result(value) {
    try {
      await output.result(value);
    } catch (thrown) {
      const message = "The change was committed, but its answer could not be sent.";
      throw new SallyportError("write.outcome_unknown", message, {}, thrown);
    }
  },
});

type Serving<Kind> = Extract<OpenedWork, { do: "serve"; kind: Kind }>;

/** Address, database and trust are the policy's; the request brought the credential only. */
function databaseOf(work: Serving<"mssql">, request: SessionRequestPayload, order: SessionOrder): Target {
  const { tls, ...place } = work.allowed.target;
  return { ...place, ...placeOf(work, request), tls: { mode: tls.mode, ...trustOf(work, order) } };
}

function directoryOf(
  work: Serving<"activeDirectory">,
  request: SessionRequestPayload,
  order: SessionOrder,
): DirectoryTarget {
  const { tls, ...place } = work.allowed.target;
  return { ...place, ...placeOf(work, request), tls: { mode: tls.mode, ...trustOf(work, order) } };
}

function placeOf({ connection, credential }: Serving<string>, request: SessionRequestPayload) {
  const { user, password, signIn } = credential;
  return { connection, credential: { user, password, signIn }, requestId: request.id };
}

function trustOf({ connection, allowed }: Serving<string>, order: SessionOrder): { readonly caPem?: string } {
  const caPem = order.authorities[connection];
  if (allowed.target.tls.ca !== undefined && caPem === undefined) {
    throw new SallyportError("connection.tls", "The file of authorities that the policy names cannot be read.");
  }
  return caPem === undefined ? {} : { caPem };
}
