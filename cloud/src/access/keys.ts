/** Making, listing and revoking API keys: for keys that are bound to no tenant. None makes a key that can do more than itself. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { newKey, Scope } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import type { Store } from "../store/open.ts";
import { ADMIN, authorize, drawKey, type Principal } from "./api-keys.ts";

export interface KeyStoreDeps {
  readonly store: Store;
  now(): Date;
  random(bytes: number): Buffer;
}

export interface KeyView {
  readonly id: string;
  readonly tenant: string | null;
  readonly scopes: readonly Scope[];
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

/** The key's text stands in this answer only. @throws api.forbidden, api.conflict */
export async function addKey(
  deps: KeyStoreDeps,
  by: Principal,
  wanted: z.infer<typeof newKey>,
): Promise<{ id: string; key: string }> {
  if (wanted.id === ADMIN) throw new SallyportError("api.conflict", `The name ${ADMIN} is the first key's.`);
  if (
    by.expiresAt !== null &&
    (wanted.expiresAt === undefined || Date.parse(wanted.expiresAt) > Date.parse(by.expiresAt))
  ) {
    throw new SallyportError("api.forbidden", "A key that expires makes no key that lives longer.", {
      expiresAt: by.expiresAt,
    });
  }
  for (const scope of wanted.scopes) authorize(by, scope, wanted.tenant);
  const { key, sha256 } = drawKey(wanted.id, deps.random);
  const inserted = await deps.store.apiKeys.insert(wanted.id, {
    sha256,
    tenant: wanted.tenant,
    scopes: wanted.scopes,
    createdAt: deps.now().toISOString(),
    createdBy: by.id,
    expiresAt: wanted.expiresAt ?? null,
    revokedAt: null,
  });
  if (!inserted) throw new SallyportError("api.conflict", `A key ${wanted.id} exists already.`);
  return { id: wanted.id, key };
}

export async function listKeys({ store }: KeyStoreDeps): Promise<KeyView[]> {
  return (await store.apiKeys.list()).map(({ row, value: { tenant, scopes, expiresAt, revokedAt } }) => ({
    id: row.row,
    tenant,
    scopes,
    expiresAt,
    revokedAt,
  }));
}

/** @throws api.not_found, api.changed */
export async function revokeKey({ store, now }: KeyStoreDeps, id: string): Promise<{ id: string; revokedAt: string }> {
  const stored = await store.apiKeys.get(id);
  if (stored === undefined) {
    throw new SallyportError("api.not_found", `There is no key ${id}.`);
  }
  const revokedAt = stored.value.revokedAt ?? now().toISOString();
  if ((await store.apiKeys.update(stored, { ...stored.value, revokedAt })) === undefined) {
    throw new SallyportError("api.changed", "The key was changed meanwhile.");
  }
  return { id, revokedAt };
}
