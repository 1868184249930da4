/** API keys: `sp_{id}_{secret}`. Only the SHA-256 of a key is stored; the first admin key comes as its hash in a setting. */
import { timingSafeEqual } from "node:crypto";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Restriction, type Scope, scope } from "@sallyport/shared/schema/api.ts";
import type { Principal } from "./principal.ts";

export interface StoredKey {
  readonly id: string;
  readonly tenant: string | null;
  readonly scopes: readonly Scope[];
  readonly only: Restriction | null;
  /** SHA-256 of the whole key, base64url. */
  readonly sha256: string;
  /** The secret before this one, and until when it works. */
  readonly previous: { readonly sha256: string; readonly until: string } | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** To be called when the key was used. */
  used(): Promise<void>;
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
/** What an unknown key is held against, so that it takes no less time than a known one. */
const NOBODY = Buffer.alloc(32);

/** A new key; the text is shown once and not kept. */
export function drawKey(id: string, random: (bytes: number) => Buffer): { key: string; sha256: string } {
  const key = `sp_${id}_${toBase64url(random(32))}`;
  return { key, sha256: toBase64url(sha256(utf8(key))) };
}

/** Who a key is. What is wrong with one that is refused is never told. @throws api.unauthenticated */
export async function authenticateKey(deps: KeyDeps, key: string): Promise<Principal> {
  const hash = sha256(utf8(key));
  if (timingSafeEqual(hash, Buffer.from(deps.adminKeySha256, "hex"))) {
    const grants = [{ tenant: null, scopes: new Set(scope.options) }];
    return { id: ADMIN, caller: `key:${ADMIN}`, grants, only: null, expiresAt: null };
  }
  const id = FORMAT.exec(key)?.[1];
  const stored = id === undefined ? undefined : await deps.findKey(id);
  const nowMs = deps.now().getTime();
  const { previous } = stored ?? {};
  const isOverlapping = previous != null && Date.parse(previous.until) > nowMs;
  const isCurrent = timingSafeEqual(hash, hashOf(stored?.sha256));
  const isPrevious = timingSafeEqual(hash, hashOf(isOverlapping ? previous.sha256 : undefined));
  if (stored === undefined || !(isCurrent || isPrevious) || !isLive(stored, nowMs)) throw refused();
  await stored.used();
  return {
    id: stored.id,
    caller: `key:${stored.id}`,
    grants: [{ tenant: stored.tenant, scopes: new Set(stored.scopes) }],
    only: stored.only,
    expiresAt: stored.expiresAt,
  };
}

const hashOf = (stored: string | undefined): Buffer =>
  stored === undefined ? NOBODY : Buffer.from(stored, "base64url");

const isLive = ({ revokedAt, expiresAt }: StoredKey, nowMs: number): boolean =>
  revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > nowMs);

export const refused = (): SallyportError =>
  new SallyportError("api.unauthenticated", "There is no such API key, or it has expired.");
