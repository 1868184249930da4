/**
 * Working through a lane: its events one after the other, each until it was delivered or is a day old. One process at a time
 * holds a lane, so that a subject's events arrive in order; the hold of one that died is over after a while.
 */
import { isDeepStrictEqual } from "node:util";
import type { DeliveryFailure } from "@sallyport/shared/schema/events.ts";
import {
  insertDead,
  type LaneHead,
  type LaneItem,
  type LaneKey,
  type Numbered,
  removeOf,
  writeHead,
} from "../store/lanes.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { Change } from "../store/tables.ts";
import { type Backoff, whenAgain } from "./backoff.ts";
import { type EmitDeps, ringSafely } from "./emit.ts";
import { type Note, noteTaker } from "./failing.ts";
import { type Delivery, type PostDeps, postEvent } from "./post.ts";
import { type SecretsOf, signatureHeaders, signingSecrets, type WebhookSecrets } from "./sign.ts";

export interface DeliverDeps extends PostDeps, Pick<EmitDeps, "ring" | "log" | "now" | "monotonic"> {
  readonly store: Pick<Store, "lanes" | "webhooks">;
  readonly secretsOf: SecretsOf;
  readonly backoff: Backoff;
  readonly random: (bytes: number) => Buffer;
  /** Somebody should look at this. */
  readonly alert: (what: string, facts: Readonly<Record<string, unknown>>) => void;
}

/** A hold begins no attempt after this... */
const WORK_MS = 30_000;
/** ...and is over after this: the attempt that was begun last has ended long before. */
const HOLD_MS = 90_000;
/** An event that was entered before this is given up at the next failure. */
const GIVE_UP_MS = 86_400_000;
/** Given up in one transaction, which may hold 100 changes: two for each, and the head's. */
const GIVEN_UP_AT_ONCE = 49;
/** The queue's clock may be so much ahead of ours: its bell is not early then. */
const SKEW_MS = 2000;
const PAGE = 50;
const KEPT_MS = 30 * 86_400_000;

interface Held extends DeliverDeps {
  readonly key: LaneKey;
  readonly holder: string;
  readonly url: string;
  readonly secrets: WebhookSecrets;
  readonly note: Note;
  readonly drain: AbortSignal;
  readonly beganMs: number;
}

/** Delivers what is due of a lane. `drain`: aborted when this process is about to stop. Throws when the state or the secrets cannot be read. */
export async function deliverLane(deps: DeliverDeps, key: LaneKey, drain: AbortSignal): Promise<void> {
  const { lanes, webhooks } = deps.store;
  const webhook = await webhooks.get(key.tenant, key.webhook);
  if (webhook === undefined) return void (await lanes.clear(key, 1000));
  const secrets = await deps.secretsOf(key.tenant, key.webhook);
  const holder = deps.random(12).toString("hex");
  if (!(await claim(deps, key, holder))) return;
  const { url } = webhook.value;
  const note = noteTaker(webhooks, webhook);
  const held = { ...deps, key, holder, url, secrets, note, drain, beganMs: deps.monotonic() };
  const end = await workThrough(held);
  if (end.againMs !== undefined) await ringSafely(deps, key, end.againMs);
  // A lane that is quiet now has time for what is too old.
  else await lanes.forget(key, deps.now().getTime() - KEPT_MS, 100);
}

/** False when somebody else holds it, or it is not due. */
async function claim(deps: DeliverDeps, key: LaneKey, holder: string): Promise<boolean> {
  for (;;) {
    const head = await deps.store.lanes.head(key);
    const nowMs = deps.now().getTime();
    // Ours already: the answer was lost, and what was sent again was refused.
    if (head?.value.holder === holder) return true;
    if (head === undefined || isAhead(head.value.heldUntil, nowMs)) return false;
    if (isAhead(head.value.nextAt, nowMs + SKEW_MS)) return false;
    const heldUntil = new Date(nowMs + HOLD_MS).toISOString();
    const written = await deps.store.lanes.commit(key, [writeHead({ ...head.value, holder, heldUntil }, head.etag)]);
    if (written.ok) return true;
  }
}

export const isAhead = (at: string | null, nowMs: number): boolean => at !== null && Date.parse(at) > nowMs;

/** When to go on; undefined when nothing waits, or another goes on. */
interface End {
  readonly againMs: number | undefined;
}

const RELEASED = { holder: "", heldUntil: null } as const;
const LOST: End = { againMs: undefined };

async function workThrough(held: Held): Promise<End> {
  const { lanes } = held.store;
  for (;;) {
    const head = await lanes.head(held.key);
    if (head === undefined || head.value.holder !== held.holder) return LOST;
    // Read after the head: whoever adds an event from here on changes the head, and the release below is refused.
    const items = await lanes.items(held.key, PAGE);
    if (items.length > 0 && !isOver(held)) {
      const end = await deliverPage(held, items);
      if (end !== undefined) return end;
    } else if ((await lanes.commit(held.key, [writeHead({ ...head.value, ...RELEASED }, head.etag)])).ok) {
      return { againMs: items.length === 0 ? undefined : held.now().getTime() };
    }
  }
}

const isOver = ({ drain, monotonic, beganMs }: Held): boolean => drain.aborted || monotonic() - beganMs > WORK_MS;

/** Delivers events in their order. An answer ends the hold. */
async function deliverPage(held: Held, items: readonly Numbered<LaneItem>[]): Promise<End | undefined> {
  for (const [at, { value, row }] of items.entries()) {
    if (isOver(held)) return undefined;
    const body = JSON.stringify(value.event);
    const now = held.now();
    const headers = signatureHeaders(value.event.id, body, signingSecrets(held.secrets, now), now);
    const outcome = await postEvent(held, held.url, body, headers, held.drain);
    // Cut off by our own end, which says nothing about the receiver.
    if (!outcome.ok && held.drain.aborted) return undefined;
    if (!outcome.ok) return afterFailure(held, items.slice(at), outcome);
    await held.note(null);
    const gone = await step(held, () => ({ failures: 0, attempts: 0, nextAt: null }), [removeOf(row)]);
    if (!gone) return LOST;
  }
  return undefined;
}

/** The first of these was not delivered. Those that are a day old are given up; the rest waits, and so does the lane. */
async function afterFailure(
  held: Held,
  items: readonly Numbered<LaneItem>[],
  outcome: Extract<Delivery, { ok: false }>,
): Promise<End> {
  const { key, log, alert } = held;
  const nowMs = held.now().getTime();
  const failure: DeliveryFailure = { code: outcome.code, detail: outcome.detail, at: new Date(nowMs).toISOString() };
  const [front] = items;
  log("webhook not delivered", { ...key, event: front?.value.event.id, ...failure });
  await held.note(failure);
  const old = items.filter(({ value }) => nowMs - Date.parse(value.at) >= GIVE_UP_MS).slice(0, GIVEN_UP_AT_ONCE);
  const luck = held.random(4).readUInt32LE() / 2 ** 32;
  let againMs = nowMs;
  const written = await step(
    held,
    (head) => {
      againMs = whenAgain(held.backoff, head.failures + 1, nowMs, luck, outcome.retryAfterMs);
      const attempts = old.length > 0 ? 0 : head.attempts + 1;
      return { failures: head.failures + 1, attempts, nextAt: new Date(againMs).toISOString(), ...RELEASED };
    },
    (head) =>
      old.flatMap(({ n, value: { event }, row }) => [
        removeOf(row),
        // Those behind the first were never sent: what stood before them failed all the time.
        insertDead(n, { event, attempts: n === front?.n ? head.attempts + 1 : 0, deadAt: failure.at, failure }),
      ]),
  );
  if (!written) return LOST;
  for (const { value } of old) alert("webhook gave up", { ...key, event: value.event.id, ...failure });
  return { againMs };
}

/** Whoever adds events changes the head too, so a change may have to be tried again: so often at most. */
const TRIES = 50;

/**
 * Changes the head and more, as long as this hold lasts. False when it was lost. An answer may get lost and the client sends the
 * change again, which is refused: then what it removes is gone, or the head is as it would have made it.
 */
async function step(
  { store: { lanes }, key, holder }: Held,
  change: (head: LaneHead) => Partial<LaneHead>,
  more: readonly Change[] | ((head: LaneHead) => readonly Change[]),
): Promise<boolean> {
  let wanted: LaneHead | undefined;
  for (let tried = 0; tried < TRIES; tried++) {
    const head: Stored<LaneHead> | undefined = await lanes.head(key);
    if (head?.value.holder !== holder) return wanted !== undefined && isDeepStrictEqual(head?.value, wanted);
    const changes = typeof more === "function" ? more(head.value) : more;
    wanted = { ...head.value, ...change(head.value) };
    const written = await lanes.commit(key, [writeHead(wanted, head.etag), ...changes]);
    // Only who holds the lane removes of it.
    if (written.ok || written.refused === 404) return true;
  }
  throw new Error("a lane that is held cannot be changed");
}
