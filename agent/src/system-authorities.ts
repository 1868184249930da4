/**
 * The certificates that this machine's own administrators trust. On Linux the distribution keeps them in one file, and its
 * tools write it (update-ca-certificates, update-ca-trust); Node's own reading of the same takes 3.5 MB that never come back.
 */
import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";

/** Where Linux distributions keep them, in the order of Go's crypto/x509 (root_linux.go). */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Gentoo
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora, RHEL 6
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/pki/tls/cacert.pem", // OpenELEC
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7 and later
  "/etc/ssl/cert.pem", // Alpine
];

/** Each as PEM. `SSL_CERT_FILE` and `SSL_CERT_DIR` mean what they mean to OpenSSL. */
export function systemAuthorities(
  platform: NodeJS.Platform = process.platform,
  { SSL_CERT_FILE, SSL_CERT_DIR }: NodeJS.ProcessEnv = process.env,
): string[] {
  const own = SSL_CERT_FILE !== undefined || SSL_CERT_DIR !== undefined;
  if (platform !== "linux" || own) return getCACertificates("system");
  for (const file of BUNDLES) {
    try {
      return certificatesIn(readFileSync(file, "utf8"));
    } catch {
      // Another distribution's.
    }
  }
  return getCACertificates("system");
}

/** The certificates of a text, each as PEM. */
export const certificatesIn = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
