/**
 * Ties a sign-in to the TLS connection that it runs in: who stands between with another certificate cannot hand it on.
 * Of the type tls-server-end-point [RFC 5929, 4.1], the only one that domain controllers know.
 */
import { createHash } from "node:crypto";
import { type Ber, readBer } from "../ber.ts";
import { explicitTag, oidBytes, TAG } from "./der.ts";

const byOid = (names: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(names).map(([oid, name]) => [oidBytes(oid).toString("hex"), name]));

/** The hash of each signature algorithm. What is not listed has none, or several, and then no binding is defined. */
const HASH_OF_SIGNATURE = byOid({
  "1.2.840.113549.1.1.4": "md5",
  "1.2.840.113549.1.1.5": "sha1",
  "1.2.840.113549.1.1.14": "sha224",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.1": "sha1",
  "1.2.840.10045.4.3.1": "sha224",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
});
const RSA_PSS = oidBytes("1.2.840.113549.1.1.10").toString("hex");
/** What RSASSA-PSS names in its parameters [RFC 4055, 2.1]. */
const HASH = byOid({
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.4": "sha224",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
});

const PREFIX = Buffer.from("tls-server-end-point:", "latin1");

/**
 * The application data of the binding.
 * @param certificate the server's own, DER.
 * @returns undefined where its signature has no single hash (Ed25519): no binding exists then.
 * @throws SallyportError `directory.protocol` for what is no certificate
 */
export function serverEndPoint(certificate: Buffer): Buffer | undefined {
  const parts = readBer(certificate).open(TAG.sequence);
  parts.take(TAG.sequence);
  const hash = hashOf(parts.open(TAG.sequence));
  if (hash === undefined) return undefined;
  // What is too weak to tell certificates apart is replaced, says RFC 5929.
  const strong = hash === "md5" || hash === "sha1" ? "sha256" : hash;
  return Buffer.concat([PREFIX, createHash(strong).update(certificate).digest()]);
}

function hashOf(algorithm: Ber): string | undefined {
  const signature = algorithm.take(TAG.oid).toString("hex");
  if (signature !== RSA_PSS) return HASH_OF_SIGNATURE.get(signature);
  const parameters = algorithm.open(TAG.sequence);
  // RFC 4055, 3.1: SHA-1 where it is left out.
  if (parameters.peek() !== explicitTag(0)) return "sha1";
  return HASH.get(parameters.open(explicitTag(0)).open(TAG.sequence).take(TAG.oid).toString("hex"));
}

/** MD5 of `gss_channel_bindings_struct` without addresses [RFC 4121, 4.1.1.2; MS-NLMP 3.1.5.1.2]. */
export function channelBindingHash(applicationData: Uint8Array): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32LE(applicationData.byteLength, 16);
  return createHash("md5").update(header).update(applicationData).digest();
}
