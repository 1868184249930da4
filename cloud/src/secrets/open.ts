/** The secret store that the settings name: a vault's address, or a file with the file of its key. */
import { readFile } from "node:fs/promises";
import type { TokenCredential } from "@azure/identity";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { localSecrets } from "./local.ts";
import type { SecretStore } from "./secrets.ts";

export interface SecretSettings {
  readonly SALLYPORT_SECRETS: string;
  readonly SALLYPORT_SECRETS_KEY?: string | undefined;
}

/** @throws settings.invalid where the key's file does not hold 32 bytes as base64 */
export async function openSecrets(
  settings: SecretSettings,
  credential: TokenCredential,
  random: (bytes: number) => Buffer,
): Promise<SecretStore> {
  const { SALLYPORT_SECRETS: place, SALLYPORT_SECRETS_KEY: keyFile = "" } = settings;
  if (place.startsWith("https://")) {
    // The vault's client is half a megabyte of code: loaded where a vault is.
    const { keyVaultSecrets } = await import("./key-vault.ts");
    return keyVaultSecrets(place, credential);
  }
  return localSecrets(place, await readKey(keyFile), random);
}

const SECRET_ADDRESS = /^(https:\/\/[^/?#@]+)\/secrets\/([0-9a-zA-Z-]{1,127})$/;

/**
 * What a setting says; where it is a secret's address, https://VAULT/secrets/NAME, what that secret holds now.
 * @throws settings.invalid where there is no such secret, secrets.unavailable where the vault does not answer
 */
export async function settingOrSecret(setting: string, text: string, credential: TokenCredential): Promise<string> {
  const [, vault, name] = SECRET_ADDRESS.exec(text) ?? [];
  if (vault === undefined || name === undefined) return text;
  const { keyVaultSecrets } = await import("./key-vault.ts");
  const secret = await keyVaultSecrets(vault, credential).get(name);
  if (secret !== undefined) return secret.value;
  throw new SallyportError("settings.invalid", `${setting} names a secret that is not there.`, { settings: [setting] });
}

async function readKey(file: string): Promise<Buffer> {
  const text = await readFile(file, "utf8").catch(() => "");
  const key = Buffer.from(text.trim(), "base64");
  if (key.byteLength === 32) return key;
  throw new SallyportError("settings.invalid", "SALLYPORT_SECRETS_KEY names no file with 32 bytes as base64.", {
    settings: ["SALLYPORT_SECRETS_KEY"],
  });
}
