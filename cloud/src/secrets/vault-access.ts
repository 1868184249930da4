/**
 * How the orchestrator signs in to Key Vault. A vault answers the first call with 401 and the resource that it wants a token for
 * (https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses). The libraries believe it where the
 * name fits the vault's host; we ask for no other audience than Key Vault's, whatever an answer says, so that the vault's address
 * may be any name of its own and no server that answers there gets a token for something else.
 */
import type { TokenCredential } from "@azure/identity";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** Key Vault in the public cloud, and in those of China and the US government. */
const AUDIENCES: ReadonlySet<string> = new Set(
  ["vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net"].map((host) => `https://${host}/.default`),
);

/** Our credential's check takes the place of the libraries' comparison of names. Waiting is short: a session waits with us. */
export const VAULT_CLIENT = {
  disableChallengeResourceVerification: true,
  retryOptions: { maxRetries: 4, retryDelayInMs: 250, maxRetryDelayInMs: 8_000 },
} as const;

/** The credential, for Key Vault and nothing else. Rejects with `secrets.unavailable` where a token for something else is asked. */
export function vaultCredential(credential: TokenCredential): TokenCredential {
  return {
    async getToken(scopes, options) {
      const asked = [scopes].flat();
      if (asked.length !== 1 || !AUDIENCES.has(asked[0]!))
        throw new SallyportError("secrets.unavailable", "What answers at the vault's address is no Key Vault.");
      // The directory is the identity's own: a challenge does not choose it.
      const { tenantId: _, ...rest } = options ?? {};
      return await credential.getToken(asked, rest);
    },
  };
}

/** The HTTP status and code of a vault's refusal, for logs; never its text. */
export function refusalOf(thrown: unknown): { readonly status?: number; readonly code?: string } {
  const { statusCode, code } = (thrown ?? {}) as { statusCode?: unknown; code?: unknown };
  return {
    ...(typeof statusCode === "number" ? { status: statusCode } : {}),
    ...(typeof code === "string" ? { code } : {}),
  };
}
