/** The agent's own long-lived keys as files of `keys/`, readable by its account only. */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { type KeyPair, signerOf, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { base64url } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { readSecret, writeSecret } from "./secret-file.ts";
import { readTextIfAny, type StatePaths, syncFolder } from "./state.ts";

const privateIdentity = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: base64url.length(43),
  d: base64url.length(43),
  /** When it was made; of one without it, its file's time. */
  created: z.iso.datetime().optional(),
});

/** An identity in use, or the one that is to be. */
export interface Identity extends KeyPair {
  readonly signer: Signer;
  readonly createdMs: number;
}

/** Age at which an identity goes over to a new one by itself (docs/keys.md). @param lifeDays of a whole life */
export const rotatesAtMs = (lifeDays: number): number => (lifeDays * 86_400_000 * 2) / 3;

/** The unseal key's 32-byte seed and its public key (X-Wing). */
const seed = base64url.length(43);
/** Without its seed where that is a credential of systemd's, so that the key does not lie on the disk in clear. */
const unsealFile = z.object({ alg: z.literal("X-Wing"), publicKey: base64url, seed: seed.optional() });
/** The credential's name (systemd.exec(5), LoadCredentialEncrypted=). */
export const SEED_CREDENTIAL = "sallyport-unseal-seed";

export interface UnsealKey {
  readonly publicKey: Uint8Array;
  readonly seed: Uint8Array;
}

/** Stores the keys of an enrolment that is about to be asked for, beside those in use. */
export function storeNewKeys(paths: StatePaths, identity: KeyPair, unseal: UnsealKey): void {
  const file = { alg: "X-Wing", publicKey: toBase64url(unseal.publicKey), seed: toBase64url(unseal.seed) };
  writeSecret(paths.newUnseal, `${JSON.stringify(unsealFile.parse(file))}\n`);
  writeSecret(paths.newIdentity, `${JSON.stringify(privateIdentity.parse(identity.privateJwk))}\n`);
}

/** Whether the identity with this public key is there: `new` is not in use yet. */
export function findIdentity(paths: StatePaths, publicX: unknown): "new" | "current" | undefined {
  const isIn = (file: string): boolean => {
    const text = readSecret(file);
    return text !== undefined && privateIdentity.parse(JSON.parse(text)).x === publicX;
  };
  if (isIn(paths.newIdentity)) return "new";
  return isIn(paths.identity) ? "current" : undefined;
}

/**
 * Puts the new keys in the place of those in use; without any there is nothing to do. The identity goes last, so that a
 * repeat after a crash still finds it here and moves what is left.
 */
export function adoptNewKeys(paths: StatePaths): void {
  for (const [from, to] of [
    [paths.newUnseal, paths.unseal],
    [paths.newIdentity, paths.identity],
  ] as const) {
    if (existsSync(from)) renameSync(from, to);
    syncFolder(paths.keys);
  }
  // A rotation of the agent that this machine was before.
  rmSync(paths.nextIdentity, { force: true });
}

/** Stores an identity to go over to; it is on the disk before anybody hears of it. */
export async function storeNextIdentity(paths: StatePaths, pair: KeyPair, createdMs: number): Promise<Identity> {
  const file = privateIdentity.parse({ ...pair.privateJwk, created: new Date(createdMs).toISOString() });
  writeSecret(paths.nextIdentity, `${JSON.stringify(file)}\n`);
  return { ...pair, signer: signerOf("EdDSA", pair), createdMs };
}

/** The identity of a rotation that is not confirmed yet. */
export const loadNextIdentity = (paths: StatePaths): Promise<Identity | undefined> => readIdentity(paths.nextIdentity);

/** Puts the next identity in the place of the one in use: one rename, so there is always exactly one. */
export function adoptNextIdentity(paths: StatePaths): void {
  renameSync(paths.nextIdentity, paths.identity);
  syncFolder(paths.keys);
}

/** @throws ConfigError when there is none. */
export const loadUnsealPublicKey = (paths: StatePaths): Uint8Array =>
  Buffer.from(readUnsealFile(paths).publicKey, "base64url");

/**
 * A seed in the file is of the last enrolment, a credential may be of one before.
 * @param credentials systemd's folder of this service's credentials, where there is one
 * @throws ConfigError when there is no key, or no seed to it
 */
export function loadUnsealKey(paths: StatePaths, credentials: string | undefined): UnsealKey {
  const file = readUnsealFile(paths);
  const given = credentials === undefined ? undefined : readTextIfAny(join(credentials, SEED_CREDENTIAL))?.trim();
  const parsed = seed.safeParse(file.seed ?? given);
  if (!parsed.success)
    throw new ConfigError(`${paths.unseal} has no seed, and no credential ${SEED_CREDENTIAL} has one`);
  return { publicKey: Buffer.from(file.publicKey, "base64url"), seed: Buffer.from(parsed.data, "base64url") };
}

function readUnsealFile(paths: StatePaths): z.infer<typeof unsealFile> {
  const text = readSecret(paths.unseal);
  if (text === undefined) throw new ConfigError(`${paths.unseal} is missing: enrol with \`sallyport enroll\``);
  return unsealFile.parse(JSON.parse(text));
}

/** @throws ConfigError when there is none: the agent was never enrolled. */
export async function loadIdentity(paths: StatePaths): Promise<Identity> {
  const identity = await readIdentity(paths.identity);
  if (identity === undefined) throw new ConfigError(`${paths.identity} is missing: enrol with \`sallyport enroll\``);
  return identity;
}

async function readIdentity(file: string): Promise<Identity | undefined> {
  const text = readSecret(file);
  if (text === undefined) return undefined;
  const { created, ...privateJwk } = privateIdentity.parse(JSON.parse(text));
  const { kty, crv, x } = privateJwk;
  const publicJwk = { kty, crv, x };
  const pair: KeyPair = { kid: await thumbprint(publicJwk), publicJwk, privateJwk };
  const createdMs = created === undefined ? statSync(file).mtimeMs : Date.parse(created);
  return { ...pair, signer: signerOf("EdDSA", pair), createdMs };
}
