/** The signing key that the setting names: a key in a vault, or a file. */
import type { TokenCredential } from "@azure/identity";
import { loadSigningKey, type SigningKey } from "../signing-key.ts";

/**
 * @param place `https://VAULT/keys/NAME`, or a file's path
 * @throws settings.invalid where there is no such key, secrets.unavailable where the vault does not answer
 */
export async function openSigningKey(place: string, credential: TokenCredential, now: () => Date): Promise<SigningKey> {
  if (!place.startsWith("https://")) return await loadSigningKey(place);
  const [{ parseKeyUrl, vaultKeys }, { ringSecretOf, vaultSigningKey }, { keyVaultSecrets }] = await Promise.all([
    import("./vault-signer.ts"),
    import("./vault-ring.ts"),
    import("../../secrets/key-vault.ts"),
  ]);
  const { vault, name } = parseKeyUrl(place)!; // the settings' check took nothing else
  return await vaultSigningKey({
    keys: vaultKeys(vault, name, credential),
    secrets: keyVaultSecrets(vault, credential),
    secret: ringSecretOf(name),
    now,
  });
}
