/** A publisher for one run: an authority that nobody trusts, and a certificate of it for signing programs. */
import "../../emulators/tls/reflect.ts";
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import type { Authenticode } from "../../build/release/authenticode.ts";

x509.cryptoProvider.set(webcrypto as typeof crypto);

// RSA: its signatures are the same each time, and every Windows knows them.
const ALGORITHM = {
  ...{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  ...{ modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
};
const DAY_MS = 86_400_000;

export interface Publisher extends Authenticode {
  readonly passphrase: string;
  /** The authority's certificate, as a file. */
  readonly authority: string;
}

/** @param around a time at which the certificates count */
export async function makePublisher(folder: string, around: Date): Promise<Publisher> {
  mkdirSync(folder, { recursive: true });
  const validity = {
    notBefore: new Date(around.getTime() - DAY_MS),
    notAfter: new Date(around.getTime() + DAY_MS),
    signingAlgorithm: ALGORITHM,
  };
  const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const [ofAuthority, ofPublisher] = await Promise.all([newKeys(), newKeys()]);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ ...validity, keys: ofAuthority, serialNumber: serialNumber() },
    name: `CN=Throw-away authority ${randomBytes(4).toString("hex")}`,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const certificate = await x509.X509CertificateGenerator.create({
    ...{ ...validity, serialNumber: serialNumber(), subject: "CN=Throw-away publisher", issuer: authority.subject },
    ...{ publicKey: ofPublisher.publicKey, signingKey: ofAuthority.privateKey },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.codeSigning]),
    ],
  });
  const written = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const passphrase = randomBytes(12).toString("hex");
  const plain = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", ofPublisher.privateKey));
  const key = createPrivateKey({ key: plain, format: "der", type: "pkcs8" });
  return {
    key: written("key.pem", key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase })),
    passphrase: written("passphrase", `${passphrase}\n`),
    certificate: written("certificate.pem", `${certificate.toString("pem")}\n`),
    authority: written("authority.pem", `${authority.toString("pem")}\n`),
  };
}

/** Positive, as RFC 5280 wants it. */
const serialNumber = (): string => `01${randomBytes(8).toString("hex")}`;
