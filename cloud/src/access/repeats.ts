/**
 * `Idempotency-Key`: a call that is repeated under its key is answered as the first one was, for a day, and does nothing
 * (draft-ietf-httpapi-idempotency-key-header). A call that failed leaves its key free. Where the first call's process died,
 * a repeat is worked on, under the first one's id: work that leaves a trace by it finds out how far that one came.
 */
import { createHmac } from "node:crypto";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Store } from "../store/open.ts";
import type { RepeatRecord } from "../store/repeats.ts";
import type { Reply } from "./answer.ts";

export interface RepeatDeps {
  readonly store: Pick<Store, "repeats">;
  /** What bodies are hashed under: they hold passwords, which nobody who reads the table may try. @throws secrets.unavailable */
  repeatKey(): Promise<Uint8Array>;
  now(): Date;
  random(bytes: number): Buffer;
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

/**
 * `work` is given an id, 32 hex characters, the same one for all calls under this key until it is free again.
 * @throws api.invalid, api.repeat_differs, api.repeat_running, api.repeat_secret, secrets.unavailable, and what `work` throws
 */
export async function once(deps: RepeatDeps, call: Keyed, work: (id: string) => Promise<Reply>): Promise<Reply> {
  if (!KEY.test(call.key)) {
    throw new SallyportError("api.invalid", "An Idempotency-Key is 1 to 200 printable characters.", {
      fields: ["Idempotency-Key"],
    });
  }
  const { repeats } = deps.store;
  const nowMs = deps.now().getTime();
  const row = toBase64url(sha256(utf8(call.key)));
  const mac = createHmac("sha256", await deps.repeatKey());
  const request = toBase64url(mac.update(call.what).update(Buffer.of(0)).update(call.body).digest());
  const begun: RepeatRecord = {
    ...{ request, id: deps.random(16).toString("hex") },
    startedAt: new Date(nowMs).toISOString(),
    expiresAt: new Date(nowMs + LIFE_MS).toISOString(),
    ...{ status: null, headers: null, body: null },
  };
  if (await repeats.insert(call.caller, row, begun)) return first(deps, call, row, begun, null, work);
  const there = await repeats.get(call.caller, row);
  if (there === undefined) throw running();
  if (Date.parse(there.value.expiresAt) <= nowMs) {
    if ((await repeats.update(there, begun)) === undefined) throw running();
    return first(deps, call, row, begun, null, work);
  }
  const { value } = there;
  const isDead = value.status === null && Date.parse(value.startedAt) + DEAD_MS <= nowMs;
  if (!isDead || value.request !== request) return repeated(value, request);
  const anew = { ...begun, id: value.id ?? begun.id };
  if ((await repeats.update(there, anew)) === undefined) throw running();
  return first(deps, call, row, anew, value, work);
}

/** `dead`: what stood there of a call that died. It stands there again when this one fails, for its work may have been done. */
async function first(
  { store: { repeats } }: RepeatDeps,
  call: Keyed,
  row: string,
  begun: RepeatRecord,
  dead: RepeatRecord | null,
  work: (id: string) => Promise<Reply>,
): Promise<Reply> {
  const mine = async () => {
    const stored = await repeats.get(call.caller, row);
    return stored?.value.startedAt === begun.startedAt && stored.value.request === begun.request ? stored : undefined;
  };
  let answer: Reply;
  try {
    answer = await work(begun.id ?? "");
  } catch (thrown) {
    const stored = await mine().catch(() => undefined);
    if (stored !== undefined && dead === null) await repeats.remove(stored).catch(() => false);
    if (stored !== undefined && dead !== null) await repeats.update(stored, dead).catch(() => undefined);
    throw thrown;
  }
  const { status, headers, body } = answer;
  const kept = call.secret || body.length > MOST_KEPT_CHARACTERS ? null : body;
  // What was done is answered also where nobody could write that down: the key then counts as that of a call that died.
  const stored = await mine().catch(() => undefined);
  const told = { ...begun, status, headers: { ...headers }, body: kept };
  if (stored !== undefined) await repeats.update(stored, told).catch(() => undefined);
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
