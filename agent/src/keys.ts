/** The agent's own long-lived keys as files of `keys/`, readable by its account only. */
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { type KeyPair, signerOf, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { base64url } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { ConfigError } from "./config.ts";
import { readTextIfAny, type StatePaths, writeFileDurably } from "./state.ts";

const privateIdentity = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: base64url.length(43),
  d: base64url.length(43),
});

/** The unseal key's 32-byte seed and its public key (X-Wing). */
const unsealFile = z.strictObject({ alg: z.literal("X-Wing"), publicKey: base64url, seed: base64url.length(43) });

export interface UnsealKey {
  readonly publicKey: Uint8Array;
  readonly seed: Uint8Array;
}

export function storeKeys(paths: StatePaths, identity: KeyPair, unseal: UnsealKey): void {
  const file = { alg: "X-Wing", publicKey: toBase64url(unseal.publicKey), seed: toBase64url(unseal.seed) };
  writeFileDurably(paths.identity, `${JSON.stringify(privateIdentity.parse(identity.privateJwk))}\n`);
  writeFileDurably(paths.unseal, `${JSON.stringify(unsealFile.parse(file))}\n`);
}

/** @throws ConfigError when there is none: the agent was never enrolled. */
export async function loadIdentity(paths: StatePaths): Promise<KeyPair & { readonly signer: Signer }> {
  const text = readTextIfAny(paths.identity);
  if (text === undefined) throw new ConfigError(`${paths.identity} is missing: enrol with \`sallyport enroll\``);
  const privateJwk = privateIdentity.parse(JSON.parse(text));
  const { kty, crv, x } = privateJwk;
  const publicJwk = { kty, crv, x };
  const pair: KeyPair = { kid: await thumbprint(publicJwk), publicJwk, privateJwk };
  return { ...pair, signer: signerOf("EdDSA", pair) };
}
