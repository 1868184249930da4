/**
 * A request by hand, from its call to its answer. What the call can wait for runs in the call itself, and nothing goes on
 * behind an answer: an instance without an invocation may be stopped at any moment. Anything else is kept, rung for, and runs
 * in the answer to its doorbell (`go-on.ts`), while the call looks at its record.
 */
import { setTimeout as pause } from "node:timers/promises";
import { MOST_WAIT_SECONDS, type NewRequest, REQUEST_LIMITS } from "@sallyport/shared/schema/api-requests.ts";
import { isRepeatable } from "@sallyport/shared/schema/write-operations.ts";
import type { Reply } from "../access/answer.ts";
import type { Stored } from "../store/record.ts";
import type { RequestRecord } from "../store/requests.ts";
import { requireConnection } from "../tenants/connections.ts";
import { type Asked, dropAsked, keepAsked, NOTHING_ASKED } from "./asked.ts";
import type { RequestDeps } from "./deps.ts";
import { endUnfinished, mayBeDone } from "./go-on.ts";
import { claim, hold, leaseFrom, lostRequest, readMine } from "./hold.ts";
import { inputOf } from "./input.ts";
import { answerOf, membersOf } from "./views.ts";
import { type Ask, HANDED_OVER, tryRequest } from "./work.ts";

export interface Caller {
  readonly tenant: string;
  readonly caller: string;
  /** The request's id where the call has an `Idempotency-Key`: the same for each repeat, which may want the result once more. */
  readonly repeat: string | null;
}

/** Milliseconds between two looks at a request that runs elsewhere, at first and at most. */
const LOOK_MS = [100, 1_000] as const;

/**
 * Once the agent may have been asked this throws no more, so that no repeat asks it again: where the state is not to be had,
 * the answer says where to look. @throws api.not_found, api.invalid, storage.failed; how the operation ended is in the answer
 */
export async function makeRequest(deps: RequestDeps, by: Caller, wanted: NewRequest): Promise<Reply> {
  const { tenant, caller, repeat } = by;
  const { createdAt } = (await requireConnection(deps.store, tenant, wanted.connection)).value;
  // Said before anything is stored or dialled.
  if (wanted.operation.op === "sql.write" && wanted.input)
    inputOf(wanted.operation.columns, wanted.input, { ...REQUEST_LIMITS });
  const ask: Ask = { tenant, id: repeat ?? deps.random(16).toString("hex"), caller };
  const before = repeat === null ? undefined : await deps.store.requests.get(tenant, ask.id);
  if (before !== undefined) return askedBefore(deps, ask, wanted, before);
  const leavePlace = fitsItsCall(wanted) ? deps.places.calls.take(tenant) : undefined;
  if (leavePlace === undefined) return inTheQueue(deps, ask, wanted, createdAt);
  try {
    return await inTheCall(deps, ask, wanted, createdAt, repeat !== null);
  } finally {
    leavePlace();
  }
}

/**
 * What says how long it may take has to fit. Of the others a read is begun anew in the queue when it takes longer; a change
 * cannot be, so its call waits for its end, if the caller has the time.
 */
function fitsItsCall({ waitSeconds, limits: { seconds }, operation }: NewRequest): boolean {
  if (waitSeconds === 0) return false;
  if (seconds !== undefined) return seconds <= waitSeconds;
  return isRepeatable(operation) || waitSeconds === MOST_WAIT_SECONDS;
}

async function inTheCall(
  deps: RequestDeps,
  ask: Ask,
  wanted: NewRequest,
  connectionAt: string,
  keep: boolean,
): Promise<Reply> {
  const stored = await insert(deps, ask, { ...newRecord(deps, ask.caller, wanted, "running"), connectionAt });
  const stop = new AbortController();
  const held = hold(deps, stored, () => stop.abort());
  const handOver = () => stop.abort(HANDED_OVER);
  const timer = isRepeatable(wanted.operation) ? setTimeout(handOver, wanted.waitSeconds * 1000) : undefined;
  try {
    const signal = AbortSignal.any([stop.signal, deps.stopping]);
    const tried = await tryRequest(deps, ask, wanted, held, keep, signal);
    if (tried.do === "answer") return answer(deps, ask, tried.record, tried.members);
    const afterSeconds = tried.record.error === null ? 0 : deps.settings.waitSeconds;
    await leave(deps, ask, wanted, held.write, afterSeconds);
    return answer(deps, ask, held.record, "");
  } finally {
    clearTimeout(timer);
    held.release();
  }
}

async function inTheQueue(deps: RequestDeps, ask: Ask, wanted: NewRequest, connectionAt: string): Promise<Reply> {
  const stored = await insert(deps, ask, { ...newRecord(deps, ask.caller, wanted, "waiting"), connectionAt });
  await leave(deps, ask, wanted, writing(deps, stored), 0);
  return lookUntilTold(deps, ask, stored.value, wanted.waitSeconds);
}

/** A call under its `Idempotency-Key` that found its request: the process of an earlier one has died, or its answer was lost. */
async function askedBefore(
  deps: RequestDeps,
  ask: Ask,
  wanted: NewRequest,
  stored: Stored<RequestRecord>,
): Promise<Reply> {
  const { endedAt, leaseUntil } = stored.value;
  const isForgotten = endedAt === null && Date.parse(leaseUntil) <= deps.now().getTime();
  const mine = isForgotten ? await claim(deps, stored) : undefined;
  if (mine !== undefined && mayBeDone(stored.value)) await endUnfinished(deps, mine, true);
  else if (mine !== undefined) {
    const again = { state: "waiting", error: null, leaseUntil: leaseFrom(deps) } as const;
    const isLeft = await leave(deps, ask, wanted, (part) => writing(deps, mine)({ ...again, ...part }), 0);
    // Until then the record names it, and whoever goes on reads it.
    if (isLeft) await dropAsked(deps.blobs, stored.value);
  }
  return lookUntilTold(deps, ask, stored.value, wanted.waitSeconds);
}

/** @throws storage.failed: then nobody has been asked anything, and nobody will */
async function insert(deps: RequestDeps, { tenant, id }: Ask, record: RequestRecord): Promise<Stored<RequestRecord>> {
  await deps.store.requests.insert(tenant, id, record);
  // Also where an answer was lost, and the insert was refused as its own repeat.
  const stored = await deps.store.requests.get(tenant, id);
  if (stored?.value.holder !== record.holder) throw lostRequest();
  return stored;
}

/** What `asked` names is new each time: a record that names it was written, also where the write's repeat was refused. */
const writing =
  (deps: RequestDeps, stored: Stored<RequestRecord>) =>
  async (part: Asked & Partial<RequestRecord>): Promise<boolean> =>
    (await deps.store.requests.update(stored, { ...stored.value, ...part })) !== undefined ||
    (await readMine(deps, stored))?.value.asked === part.asked;

function newRecord(
  deps: RequestDeps,
  caller: string,
  { connection, operation }: NewRequest,
  state: "running" | "waiting",
): RequestRecord {
  const nowMs = deps.now().getTime();
  const after = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString();
  const { deadlineSeconds, keepSeconds } = deps.settings;
  return {
    ...{ connection, operation: operation.op, caller, state, startedAt: after(0), endedAt: null },
    ...{ rows: null, bytes: null, ...NOTHING_ASKED, result: null, rowsBlob: null, error: null, suggestion: null },
    repeatable: isRepeatable(operation),
    holder: deps.random(16).toString("hex"),
    leaseUntil: leaseFrom(deps),
    deadline: after(deadlineSeconds),
    expiresAt: after(deadlineSeconds + keepSeconds),
  };
}

/**
 * Leaves the request where another instance finds it, then rings: in this order, so that no bell finds nothing. What fails
 * here is found later (`forgotten.ts`): as long as nothing is kept it ends there, and otherwise it is rung for. Answers
 * whether the record names what was asked, with its bell or without; false also where nobody can tell.
 */
async function leave(
  deps: RequestDeps,
  ask: Ask,
  wanted: NewRequest,
  write: (part: Asked) => Promise<boolean>,
  seconds: number,
): Promise<boolean> {
  const { tenant, id } = ask;
  let isLeft = false;
  try {
    const asked = await keepAsked(deps.blobs, `${tenant}/requests/${id}`, wanted, deps.random);
    isLeft = await write(asked);
    if (isLeft) await deps.ring({ tenant, request: id }, deps.now().getTime() + seconds * 1000);
    else await dropAsked(deps.blobs, asked);
  } catch (thrown) {
    deps.log("request left without a bell", { ...ask, error: String(thrown) });
  }
  return isLeft;
}

/** Looks at the record until it has ended, its agent must be waited for, or the caller's time is over. */
async function lookUntilTold(deps: RequestDeps, ask: Ask, known: RequestRecord, waitSeconds: number): Promise<Reply> {
  const untilMs = performance.now() + waitSeconds * 1000;
  const look = async () => (await deps.store.requests.get(ask.tenant, ask.id).catch(() => undefined))?.value;
  let pauseMs: number = LOOK_MS[0];
  let record = (await look()) ?? known;
  while (!isTold(record) && performance.now() < untilMs && !deps.stopping.aborted) {
    await pause(Math.min(pauseMs, untilMs - performance.now()), undefined, { signal: deps.stopping }).catch(() => {});
    record = (await look()) ?? record;
    pauseMs = Math.min(pauseMs * 1.5, LOOK_MS[1]);
  }
  return answer(deps, ask, record, await membersOf(deps, record).catch(() => ""));
}

/** Without a link where none can be made now: whoever looks at the request later gets one. */
const answer = (deps: RequestDeps, { tenant, id }: Ask, record: RequestRecord, members: string): Promise<Reply> =>
  answerOf(deps, tenant, id, record, members).catch(() =>
    answerOf(deps, tenant, id, { ...record, rowsBlob: null }, members),
  );

const isTold = ({ endedAt, state, error }: RequestRecord): boolean =>
  endedAt !== null || (state === "waiting" && error !== null);
