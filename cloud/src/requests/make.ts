/**
 * A request by hand, from its call to its answer. It is tried in the call itself. When that takes longer than the caller
 * waits, or the agent must be waited for, the answer is 202, and a doorbell makes sure that somebody goes on with it should
 * this process die (`go-on.ts`).
 */
import { type NewRequest, REQUEST_LIMITS } from "@sallyport/shared/schema/api-requests.ts";
import { isRepeatable } from "@sallyport/shared/schema/write-operations.ts";
import type { Reply } from "../access/answer.ts";
import type { RequestRecord } from "../store/requests.ts";
import { requireConnection } from "../tenants/connections.ts";
import { dropAsked, keepAsked, NOTHING_ASKED } from "./asked.ts";
import type { RequestDeps } from "./deps.ts";
import { type Held, hold, leaseFrom, lostRequest } from "./hold.ts";
import { inputOf } from "./input.ts";
import { answerOf } from "./views.ts";
import { type Ask, tryRequest } from "./work.ts";

export interface Caller {
  readonly tenant: string;
  readonly caller: string;
  /** The call's `Idempotency-Key`: a repeat may want the result once more. */
  readonly repeatKey: string | null;
}

/** @throws api.not_found, api.invalid, storage.failed; how the operation itself ended is in the answer */
export async function makeRequest(deps: RequestDeps, by: Caller, wanted: NewRequest): Promise<Reply> {
  const { tenant, caller } = by;
  await requireConnection(deps.store, tenant, wanted.connection);
  // Said before anything is stored or dialled.
  if (wanted.operation.op === "sql.write" && wanted.input)
    inputOf(wanted.operation.columns, wanted.input, { ...REQUEST_LIMITS });
  const id = deps.random(16).toString("hex");
  const ask: Ask = { tenant, id, caller };
  await deps.store.requests.insert(tenant, id, newRecord(deps, caller, wanted));
  const stored = await deps.store.requests.get(tenant, id);
  if (stored === undefined) throw lostRequest();
  const stop = new AbortController();
  const held = hold(deps, stored, () => stop.abort());
  let hasCaller = true;
  const keep = () => !hasCaller || by.repeatKey !== null;
  const signal = AbortSignal.any([stop.signal, deps.stopping]);
  const trying = tryRequest(deps, ask, wanted, held, keep, signal).finally(() => held.release());
  const waited = await within(trying, wanted.waitSeconds * 1000);
  if (waited?.do === "answer") return answerOf(deps, tenant, id, waited.record, waited.members);
  hasCaller = false;
  await leave(deps, ask, wanted, held, waited === undefined ? deps.settings.leaseSeconds : deps.settings.waitSeconds);
  if (waited === undefined) watchOver(deps, ask, trying);
  return answerOf(deps, tenant, id, held.record, "");
}

function newRecord(deps: RequestDeps, caller: string, { connection, operation }: NewRequest): RequestRecord {
  const nowMs = deps.now().getTime();
  const after = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString();
  const { deadlineSeconds, keepSeconds } = deps.settings;
  return {
    ...{ connection, operation: operation.op, caller, state: "running", startedAt: after(0), endedAt: null },
    ...{ rows: null, bytes: null, ...NOTHING_ASKED, result: null, rowsBlob: null, error: null, suggestion: null },
    repeatable: isRepeatable(operation),
    holder: deps.random(16).toString("hex"),
    leaseUntil: leaseFrom(deps),
    deadline: after(deadlineSeconds),
    expiresAt: after(deadlineSeconds + keepSeconds),
  };
}

/** The answer, or undefined when it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Leaves the request where another instance finds it, then rings: in this order, so that no bell finds nothing. */
async function leave(deps: RequestDeps, ask: Ask, wanted: NewRequest, held: Held, seconds: number): Promise<void> {
  const { tenant, id } = ask;
  const asked = await keepAsked(deps.blobs, `${tenant}/requests/${id}`, wanted, deps.random);
  // Ended meanwhile: then nobody needs it.
  if (held.record.endedAt === null) await held.write(asked);
  if (held.record.endedAt !== null) await dropAsked(deps.blobs, asked);
  else await deps.ring({ tenant, request: id }, deps.now().getTime() + seconds * 1000);
}

/** The call is answered, and its session goes on here. */
function watchOver(deps: RequestDeps, ask: Ask, trying: ReturnType<typeof tryRequest>): void {
  const { tenant, id } = ask;
  trying
    .then(async (tried) => {
      if (tried.do === "wait")
        await deps.ring({ tenant, request: id }, deps.now().getTime() + deps.settings.waitSeconds * 1000);
    })
    .catch((thrown: unknown) => deps.log("request failed", { ...ask, error: String(thrown) }));
}
