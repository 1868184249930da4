/** Credentials of connections in a secret store. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Credential, newCredential } from "@sallyport/shared/schema/api.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import type { SecretStore } from "./secrets.ts";

/**
 * The name of a connection's credential. Ids hold dashes themselves, so the tenant's length stands in it: otherwise
 * tenant `a` with connection `b-c` and tenant `a-b` with connection `c` would share one.
 */
export function credentialName(tenant: string, connection: string): string {
  return `credential-${nameId.parse(tenant).length}-${tenant}-${nameId.parse(connection)}`;
}

/** Stores it and answers its version. */
export function putCredential(
  secrets: SecretStore,
  tenant: string,
  connection: string,
  credential: Credential,
): Promise<string> {
  return secrets.put(credentialName(tenant, connection), JSON.stringify(newCredential.parse(credential)));
}

/**
 * The one whose version the connection's record has, and no other: what lies under the name may be that of a connection
 * which was removed. Throws `secrets.unavailable` when there is none or the store does not answer.
 */
export async function getCredential(
  secrets: SecretStore,
  tenant: string,
  connection: string,
  version: string | null,
): Promise<Credential> {
  const secret = version === null ? undefined : await secrets.get(credentialName(tenant, connection), version);
  if (secret === undefined) {
    throw new SallyportError("secrets.unavailable", `Connection ${connection} has no credential yet.`, { connection });
  }
  return newCredential.parse(JSON.parse(secret.value));
}

/** Deletes it; one that is not there is no error. Throws `secrets.unavailable`. */
export const dropCredential = (secrets: SecretStore, tenant: string, connection: string): Promise<void> =>
  secrets.remove(credentialName(tenant, connection));
