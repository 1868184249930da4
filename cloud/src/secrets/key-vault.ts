/** Secrets in Key Vault: fetched when they are needed, kept nowhere (https://learn.microsoft.com/rest/api/keyvault/secrets). */
import type { TokenCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { SECRET_NAME, type SecretStore } from "./secrets.ts";
import { refusalOf, VAULT_CLIENT, vaultCredential } from "./vault-access.ts";

/** Key Vault's limit on a secret's value. */
const MAX_VALUE_BYTES = 25_600;

/**
 * What is removed stays in the vault for its retention time, where a person may recover it; it is recovered before something new is
 * stored under its name. @param vault the vault's address, https://NAME.vault.azure.net
 */
export function keyVaultSecrets(vault: string, credential: TokenCredential): SecretStore {
  const client = new SecretClient(vault, vaultCredential(credential), VAULT_CLIENT);
  return {
    async get(name, version) {
      checkName(name);
      try {
        const { value = "", properties } = await client.getSecret(name, version === undefined ? {} : { version });
        return { value, version: properties.version ?? "" };
      } catch (thrown) {
        if (refusalOf(thrown).status === 404) return undefined;
        throw unavailable("read", name, thrown);
      }
    },
    async put(name, value) {
      checkName(name);
      if (Buffer.byteLength(value) > MAX_VALUE_BYTES)
        throw new RangeError(`a secret in Key Vault has at most ${MAX_VALUE_BYTES} bytes`);
      const set = async () => (await client.setSecret(name, value)).properties.version ?? "";
      try {
        return await set();
      } catch (thrown) {
        if (refusalOf(thrown).status !== 409) throw unavailable("stored", name, thrown);
      }
      try {
        await (await client.beginRecoverDeletedSecret(name, { intervalInMs: 500 })).pollUntilDone();
        return await set();
      } catch (thrown) {
        throw unavailable("stored", name, thrown);
      }
    },
    async remove(name) {
      checkName(name);
      try {
        await client.beginDeleteSecret(name);
      } catch (thrown) {
        if (refusalOf(thrown).status !== 404) throw unavailable("deleted", name, thrown);
      }
    },
  };
}

function checkName(name: string): void {
  if (!SECRET_NAME.test(name)) throw new RangeError("a secret's name is 1 to 127 of letters, digits and -");
}

/** What went wrong, so that the log says whose turn it is: the role, the limit, or the vault. */
function unavailable(what: "read" | "stored" | "deleted", name: string, thrown: unknown): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  const refusal = refusalOf(thrown);
  const why: Readonly<Record<number, string>> = {
    403: "The vault does not allow it: is the identity's role assigned, is the secret enabled, does the vault's firewall let the app in?",
    409: "A secret of this name is just being deleted or recovered.",
    429: "The vault turned it down several times because of too many calls.",
  };
  const message = `A secret could not be ${what} in Key Vault. ${why[refusal.status ?? 0] ?? "The vault did not answer as it should."}`;
  return new SallyportError("secrets.unavailable", message, { secret: name, ...refusal }, thrown);
}
