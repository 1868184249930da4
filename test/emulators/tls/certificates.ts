import "./reflect.ts";
import { randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/**
 * A certificate authority for one run of the emulators, kept in memory only: made at start, gone at exit.
 * Node can read X.509 but not write it, hence @peculiar/x509.
 */

x509.cryptoProvider.set(webcrypto as typeof crypto);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const VALID_BEFORE_MS = 3600_000; // clocks of two machines differ
const VALID_AFTER_MS = 30 * 24 * 3600_000;

/** A server's private key (PKCS #8) and certificate, both PEM. */
export type Certificate = { key: string; cert: string };

/** What a server certificate stands for: DNS names and IP addresses, each becoming a subjectAltName (RFC 5280, 4.2.1.6). */
export type CertificateSubject = {
  names?: readonly string[];
  addresses?: readonly string[];
  /** It expired so long ago. */
  endedMs?: number;
};

export type Authority = {
  /** The authority's own certificate: what a client trusts (`ca`). */
  readonly caPem: string;
  /** Issues a server certificate (ECDSA P-256, serverAuth), valid from an hour ago for 30 days. */
  issue(subject: CertificateSubject): Promise<Certificate>;
};

/** Makes a new authority with a key of its own. Two authorities never trust each other's certificates. */
export async function makeAuthority(): Promise<Authority> {
  const keys = await newKeys();
  const name = `CN=Sallyport test authority ${randomBytes(4).toString("hex")}`;
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name,
    ...validity(),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    caPem: `${ca.toString("pem")}\n`,
    issue: (subject) => issue(ca.subject, keys, subject),
  };
}

async function issue(
  issuer: string,
  authorityKeys: webcrypto.CryptoKeyPair,
  subject: CertificateSubject,
): Promise<Certificate> {
  const names = subject.names ?? [];
  const addresses = subject.addresses ?? [];
  const first = names[0] ?? addresses[0];
  if (first === undefined) throw new RangeError("a certificate needs at least one name or address");
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${first}`,
    issuer,
    ...validity(subject.endedMs),
    signingAlgorithm: ALGORITHM,
    signingKey: authorityKeys.privateKey,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: "dns" as const, value })),
        ...addresses.map((value) => ({ type: "ip" as const, value })),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { key: x509.PemConverter.encode(der, "PRIVATE KEY"), cert: `${certificate.toString("pem")}\n` };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;
}

function validity(endedMs?: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  const notAfter = endedMs === undefined ? now + VALID_AFTER_MS : now - endedMs;
  return { notBefore: new Date(now - VALID_BEFORE_MS - (endedMs ?? 0)), notAfter: new Date(notAfter) };
}

/** Positive and at most 20 octets (RFC 5280, 4.1.2.2): a leading 01 keeps the sign bit clear. */
function serialNumber(): string {
  return `01${randomBytes(15).toString("hex")}`;
}
