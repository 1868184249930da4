/**
 * The signing key in Key Vault over its life. Which version signs, which one is announced, and the statements in between stand in a
 * secret beside it, so that a version that somebody makes by hand changes nothing. Without that secret the key's first version signs.
 */
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";
import type { SecretStore } from "../../secrets/secrets.ts";
import type { SigningKey } from "../signing-key.ts";
import { keysClaims, LONGEST_CHAIN, statementChain } from "../signing-ring.ts";
import type { VaultKey, VaultKeys } from "./vault-signer.ts";

const version = z.string().regex(/^[0-9a-f]{32}$/);

/** As `SigningRing`, with a key's version in Key Vault in place of the key. */
const vaultRing = z.strictObject({
  v: z.literal(1),
  seq: z.int().min(1),
  current: version,
  next: version.nullable(),
  chain: statementChain,
});
export type VaultRing = z.infer<typeof vaultRing>;

export const ringSecretOf = (keyName: string): string => `${keyName}-ring`;

export interface VaultRingDeps {
  readonly keys: VaultKeys;
  readonly secrets: SecretStore;
  /** The secret's name: `ringSecretOf` of the key's. */
  readonly secret: string;
  now(): Date;
}

/** @throws secrets.unavailable, settings.invalid for a secret that is no ring */
export async function readVaultRing({ keys, secrets, secret }: VaultRingDeps): Promise<VaultRing> {
  const stored = await secrets.get(secret);
  if (stored === undefined) return { v: 1, seq: 1, current: await keys.firstVersion(), next: null, chain: [] };
  const ring = vaultRing.safeParse(parseJson(stored.value));
  if (ring.success) return ring.data;
  throw new SallyportError("settings.invalid", `The secret ${secret} beside SALLYPORT_SIGNING_KEY is damaged.`, {
    settings: ["SALLYPORT_SIGNING_KEY"],
  });
}

/** How long a statement of the keys is given out again: it names no agent, and a change of the keys restarts the app. */
const STATEMENT_MS = 10 * 60_000;

/** The app's signing key. Its public keys are read once; each request is signed by a call, statements are kept for ten minutes. */
export async function vaultSigningKey(deps: VaultRingDeps): Promise<SigningKey> {
  const ring = await readVaultRing(deps);
  const { current, all } = await keysOf(deps.keys, ring);
  const kept = new Map<string, { readonly jws: Promise<string>; readonly untilMs: number }>();
  return {
    signer: current.signer,
    seq: ring.seq,
    keys: all.map(({ publicJwk }) => publicJwk),
    statement: (origin) => {
      const nowMs = deps.now().getTime();
      const known = kept.get(origin);
      if (known !== undefined && known.untilMs > nowMs) return known.jws;
      const jws = statementBy(current, ring.seq, all, origin, deps.now());
      kept.set(origin, { jws, untilMs: nowMs + STATEMENT_MS });
      jws.catch(() => kept.delete(origin)); // the next caller asks again
      return jws;
    },
    chainSince: (seq) => ring.chain.filter((each) => each.seq > seq).map(({ jws }) => jws),
  };
}

/** First step of a rotation: a new version, announced beside the current one. @throws api.conflict, secrets.unavailable */
export async function announceVaultKey(deps: VaultRingDeps, origin: string): Promise<VaultRing> {
  const ring = await readVaultRing(deps);
  if (ring.next !== null) throw new SallyportError("api.conflict", "A new signing key is announced already.");
  const { version: next } = await deps.keys.create();
  return await change(deps, { ...ring, seq: ring.seq + 1, next }, origin);
}

/** Second step, an hour later at the earliest: the announced version signs. @throws api.conflict, secrets.unavailable */
export async function adoptVaultKey(deps: VaultRingDeps, origin: string): Promise<VaultRing> {
  const ring = await readVaultRing(deps);
  if (ring.next === null) throw new SallyportError("api.conflict", "No new signing key was announced.");
  return await change(deps, { ...ring, seq: ring.seq + 1, current: ring.next, next: null }, origin);
}

/** Signs the new set by a key of the set before it, and stores both. */
async function change(deps: VaultRingDeps, ring: VaultRing, origin: string): Promise<VaultRing> {
  const { current, all } = await keysOf(deps.keys, ring);
  const jws = await statementBy(current, ring.seq, all, origin, deps.now());
  const changed = { ...ring, chain: [...ring.chain, { seq: ring.seq, jws }].slice(-LONGEST_CHAIN) };
  await deps.secrets.put(deps.secret, JSON.stringify(changed));
  return changed;
}

async function keysOf(keys: VaultKeys, { current, next }: VaultRing) {
  const [first, second] = await Promise.all([keys.key(current), next === null ? undefined : keys.key(next)]);
  return { current: first, all: second === undefined ? [first] : [first, second] };
}

const statementBy = (by: VaultKey, seq: number, all: readonly VaultKey[], origin: string, now: Date): Promise<string> =>
  signJws("keys", keysClaims({ seq, keys: all.map(({ publicJwk }) => publicJwk) }, origin, now), by.signer);
