/**
 * `Idempotency-Key`: a call that is repeated under its key is answered as the first one was, for a day, and does nothing
 * (draft-ietf-httpapi-idempotency-key-header). A call that failed leaves its key free.
 */
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Store } from "../store/open.ts";
import type { RepeatRecord } from "../store/repeats.ts";
import type { Reply } from "./answer.ts";

export interface RepeatDeps {
  readonly store: Pick<Store, "repeats">;
  now(): Date;
}

export interface Keyed {
  readonly caller: string;
  readonly key: string;
  /** Route and address. */
  readonly what: string;
  readonly body: Uint8Array;
  /** The answer holds a secret, which is not kept. */
  readonly secret: boolean;
}

const LIFE_MS = 86_400_000;
/** A first call that has not answered for so long has died: no HTTP answer takes longer than 230 seconds. */
const DEAD_MS = 5 * 60_000;
const MOST_KEPT_CHARACTERS = 32_000;
const KEY = /^[\x21-\x7e]{1,200}$/;

/** @throws api.invalid, api.repeat_differs, api.repeat_running, api.repeat_secret, and what `work` throws */
export async function once(deps: RepeatDeps, call: Keyed, work: () => Promise<Reply>): Promise<Reply> {
  if (!KEY.test(call.key)) {
    throw new SallyportError("api.invalid", "An Idempotency-Key is 1 to 200 printable characters.", {
      fields: ["Idempotency-Key"],
    });
  }
  const { repeats } = deps.store;
  const nowMs = deps.now().getTime();
  const row = toBase64url(sha256(utf8(call.key)));
  const request = toBase64url(sha256(utf8(call.what), Buffer.of(0), call.body));
  const begun: RepeatRecord = {
    request,
    startedAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + LIFE_MS).toISOString(),
    ...{ status: null, headers: null, body: null },
  };
  if (!(await repeats.insert(call.caller, row, begun))) {
    const there = await repeats.get(call.caller, row);
    const isFree =
      there === undefined ||
      Date.parse(there.value.expiresAt) <= nowMs ||
      (there.value.status === null && Date.parse(there.value.startedAt) + DEAD_MS <= nowMs);
    if (!isFree) return repeated(there.value, request);
    const taken =
      there === undefined
        ? await repeats.insert(call.caller, row, begun)
        : (await repeats.update(there, begun)) !== undefined;
    if (!taken) throw running();
  }
  return first(deps, call, row, begun, work);
}

async function first(
  { store: { repeats } }: RepeatDeps,
  call: Keyed,
  row: string,
  begun: RepeatRecord,
  work: () => Promise<Reply>,
): Promise<Reply> {
  const mine = async () => {
    const stored = await repeats.get(call.caller, row);
    return stored?.value.startedAt === begun.startedAt && stored.value.request === begun.request ? stored : undefined;
  };
  let answer: Reply;
  try {
    answer = await work();
  } catch (thrown) {
    const stored = await mine().catch(() => undefined);
    if (stored !== undefined) await repeats.remove(stored).catch(() => false);
    throw thrown;
  }
  const { status, headers, body } = answer;
  const kept = call.secret || body.length > MOST_KEPT_CHARACTERS ? null : body;
  const stored = await mine();
  if (stored !== undefined) await repeats.update(stored, { ...begun, status, headers: { ...headers }, body: kept });
  return answer;
}

function repeated({ request: before, status, headers, body }: RepeatRecord, request: string): Reply {
  if (before !== request) {
    throw new SallyportError("api.repeat_differs", "This Idempotency-Key was used for another call.");
  }
  if (status === null) throw running();
  if (body === null) {
    throw new SallyportError("api.repeat_secret", "The call was made before, and its answer is not kept.");
  }
  return { status, headers: { ...headers, "idempotency-replayed": "true" }, body };
}

const running = () =>
  new SallyportError("api.repeat_running", "The call with this Idempotency-Key is still under way.");
