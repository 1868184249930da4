/**
 * ECDSA on P-256 over a digest that is there already (FIPS 186-5, section 6.4.1): a vault gets no more. Node signs only what it hashes
 * itself, so the two numbers are computed here; the curve's own arithmetic is OpenSSL's. Not constant in time: for tests.
 */
import { createECDH, type KeyObject, randomBytes } from "node:crypto";

/** The order of P-256's base point. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The 64 bytes r ‖ s. */
export function signDigest(privateKey: KeyObject, digest: Uint8Array): Buffer {
  const d = toNumber(Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url"));
  const z = toNumber(digest);
  for (;;) {
    const k = toNumber(randomBytes(32));
    if (k === 0n || k >= N) continue;
    const r = abscissa(k) % N;
    const s = (inverse(k) * (z + r * d)) % N;
    if (r !== 0n && s !== 0n) return Buffer.concat([toBytes(r), toBytes(s)]);
  }
}

/** The x of the base point times `k`. */
function abscissa(k: bigint): bigint {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(toBytes(k));
  return toNumber(curve.getPublicKey().subarray(1, 33));
}

/** By Fermat: k^(N-2) mod N. */
function inverse(k: bigint): bigint {
  let result = 1n;
  for (let base = k % N, exponent = N - 2n; exponent > 0n; exponent >>= 1n, base = (base * base) % N)
    if (exponent & 1n) result = (result * base) % N;
  return result;
}

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
