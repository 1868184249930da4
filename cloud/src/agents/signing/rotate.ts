/** A step of the signing key's rotation in a vault, by somebody who may make keys there. */
import type { TokenCredential } from "@azure/identity";
import { fingerprint } from "@sallyport/shared/crypto/identity.ts";
import { keyVaultSecrets } from "../../secrets/key-vault.ts";
import { adoptVaultKey, announceVaultKey, readVaultRing, ringSecretOf, type VaultRingDeps } from "./vault-ring.ts";
import { parseKeyUrl, vaultKeys } from "./vault-signer.ts";

export interface Rotated {
  /** Number of the new set of keys, and the fingerprints of all in it. */
  readonly seq: number;
  readonly keys: readonly string[];
}

/**
 * Announces a new version of the key, or adopts the one that was announced. A refusal is a value.
 * @param address https://VAULT/keys/NAME @throws secrets.unavailable, settings.invalid
 */
export async function rotateInVault(
  step: "adopt" | "announce",
  address: string,
  origin: string,
  credential: TokenCredential,
): Promise<Rotated | "no key" | "out of turn"> {
  const place = parseKeyUrl(address);
  if (place === undefined) return "no key";
  const { vault, name } = place;
  const deps: VaultRingDeps = {
    keys: vaultKeys(vault, name, credential),
    secrets: keyVaultSecrets(vault, credential),
    secret: ringSecretOf(name),
    now: () => new Date(),
  };
  const isAnnounced = (await readVaultRing(deps)).next !== null;
  if (isAnnounced === (step === "announce")) return "out of turn";
  const { seq, current, next } = await (step === "announce" ? announceVaultKey : adoptVaultKey)(deps, origin);
  const versions = next === null ? [current] : [current, next];
  const keys = await Promise.all(versions.map(async (each) => fingerprint((await deps.keys.key(each)).publicJwk)));
  return { seq, keys };
}
