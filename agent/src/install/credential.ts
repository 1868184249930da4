/** The unseal key's secret part as a credential of systemd's (systemd-creds(1)), so that it does not lie on the disk in clear. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { ConfigError } from "../config-error.ts";
import { SEED_CREDENTIAL } from "../keys.ts";
import { asOwnerOf } from "../regular-file.ts";
import { readTextIfAny, type StatePaths, writeFileDurably } from "../state.ts";
import { must, type Run } from "./command.ts";

interface Credential {
  readonly name: string;
  readonly file: string;
}

export const CREDENTIAL: Credential = { name: SEED_CREDENTIAL, file: `/etc/credstore.encrypted/${SEED_CREDENTIAL}` };

/** The credential, where this machine has it. */
export const presentCredential = (): Credential | undefined => (existsSync(CREDENTIAL.file) ? CREDENTIAL : undefined);

const unsealFile = z.looseObject({ seed: z.string().optional() });

/**
 * Encrypts the secret part and takes it out of its file, once it is sure that the credential opens again.
 * @throws ConfigError where there is no key yet, or the system cannot encrypt
 */
export function encryptSeed(paths: StatePaths, run: Run, { name, file }: Credential = CREDENTIAL): void {
  const text = asOwnerOf(paths.keys, () => readTextIfAny(paths.unseal));
  if (text === undefined) throw new ConfigError("there is no key to encrypt: enrol first");
  const { seed, ...rest } = unsealFile.parse(JSON.parse(text));
  if (seed === undefined) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  rmSync(file, { force: true });
  must(run, "systemd-creds", ["encrypt", `--name=${name}`, "-", file], seed);
  if (must(run, "systemd-creds", ["decrypt", `--name=${name}`, file, "-"]).trim() !== seed)
    throw new ConfigError(`${file} does not hold what was encrypted: the key stays in ${paths.unseal}`);
  asOwnerOf(paths.keys, () => writeFileDurably(paths.unseal, `${JSON.stringify(rest)}\n`));
}
