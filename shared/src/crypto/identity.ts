/** Long-lived keys as JWKs, their thumbprints (RFC 7638) and the fingerprints that people compare. */
import { generateKeyPairSync } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";
import { z } from "zod";
import { base64url } from "../schema/ids.ts";
import { type Algorithm, localSigner, type Signer } from "./jws.ts";

/** An agent's public identity: Ed25519 (RFC 8037). */
export const ed25519Jwk = z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: base64url.length(43) });
/** The orchestrator's public signing key: ECDSA P-256. */
export const p256Jwk = z.strictObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: base64url.length(43),
  y: base64url.length(43),
});

export interface KeyPair {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
}

export async function generateKeyPair(alg: Algorithm): Promise<KeyPair> {
  const pair = alg === "EdDSA" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicJwk = pair.publicKey.export({ format: "jwk" }) as JWK;
  return { kid: await thumbprint(publicJwk), publicJwk, privateJwk: pair.privateKey.export({ format: "jwk" }) as JWK };
}

export const signerOf = (alg: Algorithm, pair: KeyPair): Signer => localSigner(alg, pair.kid, pair.privateJwk);

/** RFC 7638 with SHA-256, base64url: a key's `kid`. */
export const thumbprint = (jwk: JWK): Promise<string> => calculateJwkThumbprint(jwk, "sha256");

/** The text that people compare on both screens. */
export const fingerprint = async (jwk: JWK): Promise<string> => `SHA256:${await thumbprint(jwk)}`;
