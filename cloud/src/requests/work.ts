/** One try of a request: a session, its result into blobs or memory, and the record's next state. */
import { setTimeout as pause } from "node:timers/promises";
import { ERRORS, type SallyportError, toSallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type NewRequest, REQUEST_LIMITS } from "@sallyport/shared/schema/api-requests.ts";
import { limits as limitsSchema, type Operation } from "@sallyport/shared/schema/operations.ts";
import { isRepeatable } from "@sallyport/shared/schema/write-operations.ts";
import type { SessionOutcome } from "../sessions/session.ts";
import { putOnce } from "../sinks/blob.ts";
import type { RequestRecord } from "../store/requests.ts";
import { dropAsked, NOTHING_ASKED } from "./asked.ts";
import type { RequestDeps } from "./deps.ts";
import { type Held, leaseFrom } from "./hold.ts";
import { inputOf } from "./input.ts";
import { type Collected, collect } from "./result.ts";
import { suggestionFor } from "./suggest.ts";

export interface Ask {
  readonly tenant: string;
  readonly id: string;
  readonly caller: string;
}

/** What a try came to. `members`: the result's part of the answer. */
export type Tried =
  | { readonly do: "answer"; readonly record: RequestRecord; readonly members: string }
  /** The agent is away or busy: nothing was sealed, and it may be asked again. */
  | { readonly do: "wait"; readonly record: RequestRecord };

/** How often an agent that serves is looked up: it may have been revoked meanwhile. */
const REVOKED_EVERY_MS = 10_000;
/** The signal's reason where the queue is to begin anew with it, because its call waits no longer. */
export const HANDED_OVER = "handed over";
/** How often the end of a request is written, before it is left to whoever finds its lease over. */
const END_TRIES = 3;
const END_PAUSE_MS = 200;

/**
 * Runs one session for a held request and writes its next state. `keep`: the result has to be stored, because nobody waits
 * for the answer, or a repeat may ask for it. Once the agent has answered, that is what the request came to, whatever
 * becomes of the record: of a change that was made nobody is told that it may be repeated.
 * @throws storage.failed where a request that nobody answered could not be given back
 */
export async function tryRequest(
  deps: RequestDeps,
  ask: Ask,
  wanted: NewRequest,
  held: Held,
  keep: boolean,
  signal: AbortSignal,
): Promise<Tried> {
  const folder = `${ask.tenant}/requests/${ask.id}`;
  // A new name for each try: what an earlier one has staged is never mixed with this one's.
  const name = deps.random(8).toString("hex");
  const watch = new AbortController();
  let watching: NodeJS.Timeout | undefined;
  const collector = collect(deps.blobs, `${folder}/${name}.ndjson`, deps.random, (mayServe) => {
    const look = async () => {
      if (!(await mayServe().catch(() => true))) watch.abort("revoked");
    };
    watching = setInterval(() => void look(), REVOKED_EVERY_MS);
  });
  try {
    const outcome = await session(
      deps,
      ask,
      wanted,
      held.record,
      collector.consumer,
      AbortSignal.any([signal, watch.signal]),
    );
    if (!outcome.ok) {
      // That something may have been changed is told above all.
      const isRevoked = watch.signal.aborted && outcome.code !== "write.outcome_unknown";
      const failure = isRevoked ? ({ ...outcome, code: "agent.revoked" } as const) : outcome;
      return await refused(deps, ask, wanted, held, failure, signal);
    }
    const collected = collector.collected();
    const kept = await store(deps, folder, name, collected, keep).catch((thrown: unknown) => {
      if (isRepeatable(wanted.operation)) throw thrown;
      deps.log("result not kept", { ...ask, error: String(thrown) });
      return { result: null, rowsBlob: null };
    });
    const { rows, bytes } = outcome;
    return await ended(deps, ask, held, { state: "succeeded", rows, bytes, ...kept }, collected.members);
  } catch (thrown) {
    return await refused(deps, ask, wanted, held, failureOf(deps, ask, thrown), signal);
  } finally {
    clearInterval(watching);
    await collector.abandon();
  }
}

type Failure = Pick<Extract<SessionOutcome, { ok: false }>, "code" | "message" | "detail">;

function failureOf(deps: RequestDeps, ask: Ask, thrown: unknown): SallyportError {
  const error = toSallyportError(thrown, "storage.failed", "The request's session or its storage failed.");
  deps.log("request failed", { ...ask, code: error.code, error: String(error.cause ?? error.message) });
  return error;
}

function session(
  deps: RequestDeps,
  { tenant, caller }: Ask,
  { connection, operation, input, limits }: NewRequest,
  { connectionAt }: RequestRecord,
  consumer: Parameters<RequestDeps["openSession"]>[1],
  signal: AbortSignal,
): Promise<SessionOutcome> {
  const own = limitsSchema.parse({ ...REQUEST_LIMITS, ...limits });
  const request = {
    ...{ tenant, connection, caller, limits: own, operation: operation as Operation },
    requestId: deps.random(16).toString("hex"),
    ...(connectionAt ? { connectionAt } : {}),
    ...(operation.op === "sql.write" && input ? { input: inputOf(operation.columns, input, own) } : {}),
  };
  return deps.openSession(request, consumer, signal);
}

async function store(
  { blobs }: RequestDeps,
  folder: string,
  name: string,
  { members, isInline, commit }: Collected,
  keep: boolean,
): Promise<Pick<RequestRecord, "result" | "rowsBlob">> {
  const rowsBlob = (await commit()) ?? null;
  if (isInline && !keep) return { result: null, rowsBlob };
  const result = `${folder}/${name}.json`;
  await putOnce(blobs, result, Buffer.from(members), "application/json");
  return { result, rowsBlob };
}

/** Waits where the agent may be there later and nothing was changed; otherwise this is the end. */
async function refused(
  deps: RequestDeps,
  ask: Ask,
  wanted: NewRequest,
  held: Held,
  failure: Failure,
  signal: AbortSignal,
): Promise<Tried> {
  const { code, message, detail } = failure;
  const at = deps.now().toISOString();
  const { retry, advice } = ERRORS[code];
  const error = { code, message, advice, facts: { ...detail }, at };
  const wasStopped = code === "request.cancelled" && signal.aborted && isRepeatable(wanted.operation);
  if ((retry === "free" || wasStopped) && at < held.record.deadline) {
    const told = wasStopped && signal.reason === HANDED_OVER ? null : error;
    await held.write({ state: "waiting", error: told, leaseUntil: leaseFrom(deps, deps.settings.waitSeconds) });
    return { do: "wait", record: held.record };
  }
  const suggestion = suggestionFor(failure, wanted.connection, wanted.operation);
  return ended(deps, ask, held, { state: "failed", error, suggestion }, "");
}

/** Never throws: what the agent said is told also where nobody could write it down. */
async function ended(
  deps: RequestDeps,
  ask: Ask,
  held: Held,
  part: Partial<RequestRecord>,
  members: string,
): Promise<Tried> {
  const endedAt = deps.now();
  const expiresAt = new Date(endedAt.getTime() + deps.settings.keepSeconds * 1000).toISOString();
  const before = held.record;
  const error = part.state === "succeeded" ? { error: null } : {};
  const whole = { ...error, ...part, ...NOTHING_ASKED, endedAt: endedAt.toISOString(), expiresAt };
  // Where nobody has written it, somebody else may have to begin anew.
  if (await writeEnd(deps, ask, held, whole)) await dropAsked(deps.blobs, before);
  return { do: "answer", record: { ...before, ...whole }, members };
}

async function writeEnd(deps: RequestDeps, ask: Ask, held: Held, end: Partial<RequestRecord>): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await held.write(end);
    } catch (thrown) {
      deps.log("request's end not written", { ...ask, error: String(thrown) });
      if (tries === END_TRIES) return false;
    }
    await pause(END_PAUSE_MS * tries);
  }
}
