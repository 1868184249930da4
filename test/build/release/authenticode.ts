/**
 * Authenticode signatures by osslsigncode (2.9): what Windows shows as the publisher of a program or an installer. The key stays in
 * its file; neither it nor its passphrase is ever in a command line.
 */
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { promisify } from "node:util";

const TIMEOUT_MS = 300_000;

/** Files of the publisher, all PEM but the passphrase's, which holds one line. */
export interface Authenticode {
  readonly key: string;
  /** The publisher's certificate first, then those between it and the root. */
  readonly certificate: string;
  readonly passphrase?: string | undefined;
  /** Of an RFC 3161 authority: without its word a signature ends with its certificate. */
  readonly timestampUrl?: string | undefined;
}

/**
 * Signs a program or an installer into a new file. Without a time-stamp authority the same file, key and time give the same bytes.
 * @throws Error where the tool is missing, or refuses
 */
export async function signAuthenticode(
  from: string,
  to: string,
  { key, certificate, passphrase, timestampUrl }: Authenticode,
  epochSeconds: number,
): Promise<void> {
  rmSync(to, { force: true });
  await run([
    ...["sign", "-h", "sha256", "-certs", certificate, "-key", key],
    ...(passphrase === undefined ? [] : ["-readpass", passphrase]),
    ...["-n", "Sallyport", "-time", `${epochSeconds}`],
    // An installer's names and times, too, and not its streams' content only (MsiDigitalSignatureEx).
    ...(to.endsWith(".msi") ? ["-add-msi-dse"] : []),
    ...(timestampUrl === undefined ? [] : ["-ts", timestampUrl]),
    ...["-in", from, "-out", to],
  ]);
}

/**
 * Holds a file against its signature and the authority's certificate, also where somebody has said the time. @param atSeconds when it is asked; a certificate's time counts
 * @throws Error with what the tool said, where the signature is missing or wrong, or of another authority
 */
export async function verifyAuthenticode(path: string, authority: string, atSeconds: number): Promise<void> {
  await run([
    "verify",
    "-CAfile",
    authority,
    "-TSA-CAfile",
    authority,
    "-ignore-cdp",
    "-time",
    `${atSeconds}`,
    "-in",
    path,
  ]);
}

async function run(args: readonly string[]): Promise<void> {
  const running = promisify(execFile)("osslsigncode", args, {
    env: { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" },
    timeout: TIMEOUT_MS,
  });
  // Where a passphrase is missing or wrong it asks for another, and nobody is there to answer.
  running.child.stdin?.end();
  await running.catch((error: NodeJS.ErrnoException & { readonly stdout?: string; readonly stderr?: string }) => {
    if (error.code === "ENOENT") throw new Error("osslsigncode is missing: Debian has it in the package of that name");
    throw new Error(`osslsigncode ${args[0]} failed: ${error.stdout ?? ""}${error.stderr ?? ""}`);
  });
}
