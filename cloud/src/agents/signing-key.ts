/** The orchestrator's signing key, and the statement by which agents learn its public keys. */
import { readFile } from "node:fs/promises";
import { p256Jwk, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { type JWK, localSigner, type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";

const privateJwk = p256Jwk.extend({ d: z.string().length(43) });

export interface SigningKey {
  readonly signer: Signer;
  /** The complete set of public keys that agents may trust. */
  readonly keys: readonly JWK[];
  /** A `sallyport-keys+jws` statement over the set, for `origin`. */
  statement(origin: string): Promise<string>;
}

/** Number of the key set: agents refuse a lower one than they have seen. One key, so the first set. */
const KEY_SET_SEQUENCE = 1;

/** Reads a private ES256 JWK. @throws settings.invalid */
export async function loadSigningKey(file: string): Promise<SigningKey> {
  const parsed = privateJwk.safeParse(await readJson(file));
  if (!parsed.success)
    throw new SallyportError("settings.invalid", "SALLYPORT_SIGNING_KEY names no private ES256 JWK.", {
      settings: ["SALLYPORT_SIGNING_KEY"],
    });
  const { d, ...publicJwk } = parsed.data;
  const signer = localSigner("ES256", await thumbprint(publicJwk), { ...publicJwk, d });
  const keys = [publicJwk];
  return {
    signer,
    keys,
    statement: (origin) =>
      signJws("keys", { aud: origin, seq: KEY_SET_SEQUENCE, iat: Math.floor(Date.now() / 1000), keys }, signer),
  };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}
