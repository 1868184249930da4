/**
 * Compact JWS (RFC 7515) for the protocol's closed table of purposes. One `sign`, one `verify`; both pin `alg` and `typ`.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign as nodeSign } from "node:crypto";
import { compactVerify, decodeProtectedHeader, type JWK } from "jose";
import { toBase64url, utf8 } from "./bytes.ts";

export type { JWK } from "jose";

/** Every purpose a signature may have. A signature made for one is worth nothing for another. */
export const PURPOSES = ["enrol", "token", "hello", "rotate", "unseal", "keys", "request", "grant", "update"] as const;
export type Purpose = (typeof PURPOSES)[number];
/** Agents sign with Ed25519 (RFC 8037), the orchestrator with ECDSA P-256. */
export type Algorithm = "EdDSA" | "ES256";

/** Signs the JWS signing input; the private key may live elsewhere (Key Vault). ES256 answers 64 raw bytes. */
export interface Signer {
  readonly alg: Algorithm;
  readonly kid: string;
  sign(signingInput: Uint8Array): Promise<Uint8Array>;
}

/** A signer over a private JWK held in this process. */
export function localSigner(alg: Algorithm, kid: string, privateJwk: JWK): Signer {
  const key = createPrivateKey({ key: privateJwk as never, format: "jwk" });
  return {
    alg,
    kid,
    sign: async (input) =>
      alg === "EdDSA" ? nodeSign(null, input, key) : nodeSign("sha256", input, { key, dsaEncoding: "ieee-p1363" }),
  };
}

export const publicKeyOf = (jwk: JWK): KeyObject => createPublicKey({ key: jwk as never, format: "jwk" });

/** Signs `payload` as JSON, or as it is where it is bytes, and answers the compact serialization. */
export async function signJws(purpose: Purpose, payload: unknown, signer: Signer): Promise<string> {
  const header = toBase64url(
    utf8(JSON.stringify({ alg: signer.alg, typ: `sallyport-${purpose}+jws`, kid: signer.kid })),
  );
  const body = toBase64url(payload instanceof Uint8Array ? payload : utf8(JSON.stringify(payload)));
  const signature = await signer.sign(utf8(`${header}.${body}`));
  return `${header}.${body}.${toBase64url(signature)}`;
}

export type Verified =
  | { readonly ok: true; readonly kid: string; readonly payload: Buffer }
  | { readonly ok: false; readonly reason: "format" | "alg" | "typ" | "header" | "kid" | "signature" };

/**
 * Verifies a compact JWS: first its header by our rules (jose ignores `typ` here), then its signature; only then is the
 * payload given out. `keyOf` answers the pinned key of a `kid`. Bytes in, value out: it never throws on bad input.
 */
export async function verifyJws(
  compact: string,
  expected: { readonly purpose: Purpose; readonly alg: Algorithm },
  keyOf: (kid: string) => KeyObject | undefined,
): Promise<Verified> {
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(compact);
  } catch {
    return { ok: false, reason: "format" };
  }
  if (header.alg !== expected.alg) return { ok: false, reason: "alg" };
  if (header.typ !== `sallyport-${expected.purpose}+jws`) return { ok: false, reason: "typ" };
  if (FORBIDDEN_HEADERS.some((name) => name in header)) return { ok: false, reason: "header" };
  const kid = header.kid;
  const key = typeof kid === "string" ? keyOf(kid) : undefined;
  if (typeof kid !== "string" || key === undefined) return { ok: false, reason: "kid" };
  try {
    const { payload } = await compactVerify(compact, key, { algorithms: [expected.alg] });
    return { ok: true, kid, payload: Buffer.from(payload) };
  } catch {
    return { ok: false, reason: "signature" };
  }
}

/** Headers that would bring a key along, or rules that we do not know (RFC 7515 sections 4.1.2, 4.1.3, 4.1.6, 4.1.11). */
const FORBIDDEN_HEADERS = ["crit", "jwk", "jku", "x5c", "x5u", "b64"];
