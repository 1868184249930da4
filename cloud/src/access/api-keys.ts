/** API keys: `sp_{id}_{secret}`. Only the SHA-256 of a key is stored; the first admin key comes as its hash in a setting. */
import { timingSafeEqual } from "node:crypto";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Scope, scope } from "@sallyport/shared/schema/api.ts";

/** Who calls: the id stands in runs and in agents' journals as `key:{id}`. */
export interface Principal {
  readonly id: string;
  /** null: all tenants. */
  readonly tenant: string | null;
  readonly scopes: ReadonlySet<Scope>;
  readonly expiresAt: string | null;
}

export interface StoredKey {
  readonly id: string;
  readonly tenant: string | null;
  readonly scopes: readonly Scope[];
  /** SHA-256 of the whole key, base64url. */
  readonly sha256: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

export interface KeyDeps {
  /** SHA-256 of the first admin key, as hex. */
  readonly adminKeySha256: string;
  findKey(id: string): Promise<StoredKey | undefined>;
  now(): Date;
}

/** The first key, whose hash is a setting: no stored key may have its name. */
export const ADMIN = "admin";
const FORMAT = /^sp_([a-z0-9-]{1,40})_([A-Za-z0-9_-]{43})$/;

/** A new key; the text is shown once and not kept. */
export function drawKey(id: string, random: (bytes: number) => Buffer): { key: string; sha256: string } {
  const key = `sp_${id}_${toBase64url(random(32))}`;
  return { key, sha256: toBase64url(sha256(utf8(key))) };
}

/** Who a bearer key is. @throws api.unauthenticated */
export async function authenticate(deps: KeyDeps, authorization: string | null): Promise<Principal> {
  const key = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
  const hash = sha256(utf8(key));
  if (timingSafeEqual(hash, Buffer.from(deps.adminKeySha256, "hex")))
    return { id: ADMIN, tenant: null, scopes: new Set(scope.options), expiresAt: null };
  const id = FORMAT.exec(key)?.[1];
  const stored = id === undefined ? undefined : await deps.findKey(id);
  const live =
    stored !== undefined &&
    stored.revokedAt === null &&
    (stored.expiresAt === null || Date.parse(stored.expiresAt) > deps.now().getTime());
  if (!live || !timingSafeEqual(hash, Buffer.from(stored.sha256, "base64url")))
    throw new SallyportError("api.unauthenticated", "There is no such API key, or it has expired.");
  return { id: stored.id, tenant: stored.tenant, scopes: new Set(stored.scopes), expiresAt: stored.expiresAt };
}

/** Deny by default: the key needs the scope, and its tenant. @throws api.forbidden */
export function authorize(principal: Principal, needed: Scope, tenant: string | null): void {
  const inTenant = principal.tenant === null || principal.tenant === tenant;
  if (!inTenant || !principal.scopes.has(needed)) {
    throw new SallyportError(
      "api.forbidden",
      `This needs the scope ${needed}${tenant === null ? "" : ` for tenant ${tenant}`}.`,
      { scope: needed },
    );
  }
}
