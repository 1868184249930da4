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
  /** Of somebody who may say what time it is, for a year around: files, without a passphrase. */
  readonly clock: { readonly key: string; readonly certificate: string };
}

/** @param around a time at which the certificates count */
export async function makePublisher(folder: string, around: Date): Promise<Publisher> {
  mkdirSync(folder, { recursive: true });
  const within = (days: number) => ({
    notBefore: new Date(around.getTime() - days * DAY_MS),
    notAfter: new Date(around.getTime() + days * DAY_MS),
    signingAlgorithm: ALGORITHM,
  });
  const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const [ofAuthority, ofPublisher, ofClock] = await Promise.all([newKeys(), newKeys(), newKeys()]);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ ...within(365), keys: ofAuthority, serialNumber: serialNumber() },
    name: `CN=Throw-away authority ${randomBytes(4).toString("hex")}`,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const issue = (name: string, keys: webcrypto.CryptoKeyPair, days: number, usage: string) =>
    x509.X509CertificateGenerator.create({
      ...{ ...within(days), serialNumber: serialNumber(), subject: `CN=${name}`, issuer: authority.subject },
      ...{ publicKey: keys.publicKey, signingKey: ofAuthority.privateKey },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        // RFC 3161, 2.3: critical, and the only one.
        new x509.ExtendedKeyUsageExtension([usage], true),
      ],
    });
  const { codeSigning, timeStamping } = x509.ExtendedKeyUsage;
  const certificate = await issue("Throw-away publisher", ofPublisher, 1, codeSigning);
  const clock = await issue("Throw-away clock", ofClock, 365, timeStamping);
  const written = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const passphrase = randomBytes(12).toString("hex");
  const keyOf = async ({ privateKey }: webcrypto.CryptoKeyPair) =>
    createPrivateKey({
      ...{ key: Buffer.from(await webcrypto.subtle.exportKey("pkcs8", privateKey)), format: "der", type: "pkcs8" },
    });
  const [key, clockKey] = [await keyOf(ofPublisher), await keyOf(ofClock)];
  return {
    key: written("key.pem", key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase })),
    clock: {
      key: written("clock-key.pem", clockKey.export({ type: "pkcs8", format: "pem" })),
      certificate: written("clock.pem", `${clock.toString("pem")}\n`),
    },
    passphrase: written("passphrase", `${passphrase}\n`),
    certificate: written("certificate.pem", `${certificate.toString("pem")}\n`),
    authority: written("authority.pem", `${authority.toString("pem")}\n`),
  };
}

/** Positive, as RFC 5280 wants it. */
const serialNumber = (): string => `01${randomBytes(8).toString("hex")}`;
