/** Making, listing, rotating and revoking API keys: for keys that are bound to no tenant. None makes one that can do more than itself. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { newKey } from "@sallyport/shared/schema/api.ts";
import type { KeyView } from "@sallyport/shared/schema/api-views.ts";
import type { z } from "zod";
import type { ApiKey } from "../store/api-keys.ts";
import type { Page, PageRequest } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import { requireOpen, requireQuota } from "../tenants/quotas.ts";
import { ADMIN, drawKey } from "./api-keys.ts";
import { authorize, type Principal } from "./principal.ts";

export interface KeyStoreDeps {
  readonly store: Store;
  now(): Date;
  random(bytes: number): Buffer;
}

/** The key's text stands in this answer only. @throws api.forbidden, api.conflict, api.quota, api.closed */
export async function addKey(
  deps: KeyStoreDeps,
  by: Principal,
  wanted: z.infer<typeof newKey>,
): Promise<{ id: string; key: string }> {
  if (wanted.id === ADMIN) throw new SallyportError("api.conflict", `The name ${ADMIN} is the first key's.`);
  requireNoLess(by, { ...wanted, expiresAt: wanted.expiresAt ?? null });
  if ((await deps.store.apiKeys.get(wanted.id)) !== undefined) throw exists(wanted.id);
  if (wanted.tenant !== null) {
    await requireOpen(deps.store, wanted.tenant);
    await requireQuota(deps.store, wanted.tenant, "keys");
  }
  const { key, sha256 } = drawKey(wanted.id, deps.random);
  const inserted = await deps.store.apiKeys.insert(wanted.id, {
    sha256,
    previous: null,
    tenant: wanted.tenant,
    scopes: wanted.scopes,
    only: wanted.only ?? null,
    createdAt: deps.now().toISOString(),
    createdBy: by.caller,
    expiresAt: wanted.expiresAt ?? null,
    revokedAt: null,
    lastUsedAt: null,
  });
  if (!inserted) throw exists(wanted.id);
  return { id: wanted.id, key };
}

const exists = (id: string) => new SallyportError("api.conflict", `A key ${id} exists already.`);

/** Who hands out a secret could use it: it may do nothing that its maker may not. @throws api.forbidden */
function requireNoLess(by: Principal, key: Pick<ApiKey, "tenant" | "scopes" | "expiresAt">): void {
  if (by.expiresAt !== null && (key.expiresAt === null || Date.parse(key.expiresAt) > Date.parse(by.expiresAt))) {
    throw new SallyportError("api.forbidden", "A key that expires makes no key that lives longer.", {
      expiresAt: by.expiresAt,
    });
  }
  requireScopes(by, key);
}

/** @throws api.forbidden */
function requireScopes(by: Principal, { scopes, tenant }: Pick<ApiKey, "tenant" | "scopes">): void {
  for (const scope of scopes) authorize(by, scope, tenant);
}

export async function listKeys({ store }: Pick<KeyStoreDeps, "store">, page: PageRequest): Promise<Page<KeyView>> {
  const { items, next } = await store.apiKeys.page(page);
  return { items: items.map(keyView), next };
}

export function keyView({ row, value }: Stored<ApiKey>): KeyView {
  const { tenant, scopes, only, expiresAt, revokedAt, lastUsedAt, previous } = value;
  return { id: row.row, tenant, scopes, only, expiresAt, revokedAt, lastUsedAt, overlapUntil: previous?.until ?? null };
}

/**
 * A new secret; the one before works for `overlapSeconds` more, so that its users can be changed one after the other. Only
 * the newest two ever work. @throws api.not_found, api.forbidden, api.conflict when it was revoked, api.changed
 */
export async function rotateKey(
  { store, now, random }: KeyStoreDeps,
  by: Principal,
  id: string,
  overlapSeconds: number,
): Promise<{ id: string; key: string; overlapUntil: string | null }> {
  const stored = await requireKey(store, id);
  const { value } = stored;
  if (value.revokedAt !== null)
    throw new SallyportError("api.conflict", "A revoked key is not rotated: make a new one.");
  requireNoLess(by, value);
  const { key, sha256 } = drawKey(id, random);
  const overlapUntil = overlapSeconds === 0 ? null : new Date(now().getTime() + overlapSeconds * 1000).toISOString();
  const previous = overlapUntil === null ? null : { sha256: value.sha256, until: overlapUntil };
  if ((await store.apiKeys.update(stored, { ...value, sha256, previous })) === undefined) throw changed();
  return { id, key, overlapUntil };
}

/** Only by who may do all that the key may: or a weak key could lock out the strong ones. @throws api.not_found, api.forbidden, api.changed */
export async function revokeKey(
  deps: Pick<KeyStoreDeps, "store" | "now">,
  by: Principal,
  id: string,
): Promise<{ id: string; revokedAt: string }> {
  requireScopes(by, (await requireKey(deps.store, id)).value);
  return endKey(deps, id);
}

/** Whoever asks. @throws api.not_found, api.changed */
export async function endKey(
  { store, now }: Pick<KeyStoreDeps, "store" | "now">,
  id: string,
): Promise<{ id: string; revokedAt: string }> {
  // Its last use may be noted at the same moment, and revoking must not lose to that.
  for (let tries = 0; tries < 5; tries++) {
    const stored = await requireKey(store, id);
    const revokedAt = stored.value.revokedAt ?? now().toISOString();
    if ((await store.apiKeys.update(stored, { ...stored.value, revokedAt, previous: null })) !== undefined)
      return { id, revokedAt };
  }
  throw changed();
}

async function requireKey(store: Store, id: string): Promise<Stored<ApiKey>> {
  const stored = await store.apiKeys.get(id);
  if (stored === undefined) throw new SallyportError("api.not_found", `There is no key ${id}.`);
  return stored;
}

const changed = () => new SallyportError("api.changed", "The key was changed meanwhile.");

/** How old a note of a key's last use may be: a write for each call would be one too many. */
const NOTE_MS = 3_600_000;

/** Notes that a key was used, once an hour; a note that loses to another change is left to the next call. */
export async function noteUsed(
  { store, now }: Pick<KeyStoreDeps, "store" | "now">,
  stored: Stored<ApiKey>,
): Promise<void> {
  const { lastUsedAt } = stored.value;
  if (lastUsedAt !== null && now().getTime() - Date.parse(lastUsedAt) < NOTE_MS) return;
  await store.apiKeys.update(stored, { ...stored.value, lastUsedAt: now().toISOString() }).catch(() => undefined);
}
