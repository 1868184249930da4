/**
 * The orchestrator's signing keys over their lives: which one signs, which ones agents may trust, and the statements by which
 * an agent that was away for months finds its way from the keys it has pinned to those of today. Pure but for the keys.
 */
import { generateKeyPair, p256Jwk, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { type JWK, localSigner, type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";

export const privateJwk = p256Jwk.extend({ d: z.string().length(43) });
type PrivateJwk = z.infer<typeof privateJwk>;

/** As many rotations as an agent may miss; one that was away longer enrols again. */
export const LONGEST_CHAIN = 16;

/** Every change's statement, signed by a key of the set before it. */
export const statementChain = z
  .array(z.strictObject({ seq: z.int().min(1), jws: z.string().max(16_384) }))
  .max(LONGEST_CHAIN);

export const signingRing = z.strictObject({
  v: z.literal(1),
  /** Number of the set of public keys; each change raises it. */
  seq: z.int().min(1),
  /** Signs requests and statements. */
  current: privateJwk,
  /** Announced, and signs nothing yet: agents take it up with their next token. */
  next: privateJwk.nullable(),
  chain: statementChain,
});
export type SigningRing = z.infer<typeof signingRing>;

/** The first key, or the one of an installation that never rotated. */
export const ringOf = (current: PrivateJwk): SigningRing => ({ v: 1, seq: 1, current, next: null, chain: [] });

export async function signerOfJwk({ d, ...publicJwk }: PrivateJwk): Promise<Signer> {
  return localSigner("ES256", await thumbprint(publicJwk), { ...publicJwk, d });
}

/** The complete set of public keys that agents may trust. */
export const publicKeysOf = ({ current, next }: SigningRing): readonly JWK[] =>
  [current, next].flatMap((key) => (key === null ? [] : [withoutPrivate(key)]));

const withoutPrivate = ({ d: _d, ...jwk }: PrivateJwk): JWK => jwk;

/** What a `sallyport-keys+jws` says: the complete set of keys and its number, for one origin. */
export const keysClaims = ({ seq, keys }: { seq: number; keys: readonly JWK[] }, origin: string, now: Date) => ({
  aud: origin,
  seq,
  iat: Math.floor(now.getTime() / 1000),
  keys,
});

/** A `sallyport-keys+jws` over the set of a ring. */
export const statementOf = (ring: SigningRing, origin: string, by: Signer, now: Date): Promise<string> =>
  signJws("keys", keysClaims({ seq: ring.seq, keys: publicKeysOf(ring) }, origin, now), by);

/**
 * First step: a new key is announced beside the current one. Agents learn it with their next token, within half an hour;
 * those that are away, from the chain. @throws api.conflict when the former rotation was not finished
 */
export async function announceKey(ring: SigningRing, origin: string, now: Date): Promise<SigningRing> {
  if (ring.next !== null) throw new SallyportError("api.conflict", "A new signing key is announced already.");
  const { privateJwk: made } = await generateKeyPair("ES256");
  const next = privateJwk.parse(pick(made));
  return await withStatement({ ...ring, seq: ring.seq + 1, next }, origin, ring.current, now);
}

/**
 * Second step, an hour later at the earliest: the new key signs, and the old one is dropped by every agent.
 * @throws api.conflict when none was announced
 */
export async function adoptKey(ring: SigningRing, origin: string, now: Date): Promise<SigningRing> {
  if (ring.next === null) throw new SallyportError("api.conflict", "No new signing key was announced.");
  return await withStatement({ ...ring, seq: ring.seq + 1, current: ring.next, next: null }, origin, ring.next, now);
}

async function withStatement(ring: SigningRing, origin: string, by: PrivateJwk, now: Date): Promise<SigningRing> {
  const jws = await statementOf(ring, origin, await signerOfJwk(by), now);
  return { ...ring, chain: [...ring.chain, { seq: ring.seq, jws }].slice(-LONGEST_CHAIN) };
}

function pick({ kty, crv, x, y, d }: JWK): unknown {
  return { kty, crv, x, y, d };
}
