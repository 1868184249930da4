/** Connections of a tenant: names of systems that a site's policy knows, and where their credentials are. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Credential, newConnection, SealedFile } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import { putCredential } from "../secrets/credentials.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import type { Connection } from "../store/connections.ts";
import type { Page, PageRequest } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import { requireOpen, requireQuota } from "./quotas.ts";

export interface ConnectionDeps {
  readonly store: Store;
  readonly secrets: SecretStore;
  now(): Date;
}

type NewConnection = z.infer<typeof newConnection>;

/** @throws api.not_found, api.conflict, api.quota, api.closed */
export async function addConnection(
  { store, now }: ConnectionDeps,
  tenant: string,
  wanted: NewConnection,
): Promise<NewConnection> {
  if ((await store.sites.get(tenant, wanted.site)) === undefined) {
    throw new SallyportError("api.not_found", `There is no site ${wanted.site} of tenant ${tenant}.`, {
      site: wanted.site,
    });
  }
  if ((await store.connections.get(tenant, wanted.id)) === undefined) {
    await requireOpen(store, tenant);
    await requireQuota(store, tenant, "connections");
  }
  const record = {
    site: wanted.site,
    kind: wanted.kind,
    createdAt: now().toISOString(),
    credentialVersion: null,
    credentialAt: null,
  };
  if (!(await store.connections.insert(tenant, wanted.id, record))) {
    const { value } = await requireConnection(store, tenant, wanted.id);
    if (value.site !== wanted.site || value.kind !== wanted.kind) {
      throw new SallyportError("api.conflict", `Connection ${wanted.id} exists with another site or kind.`);
    }
  }
  return wanted;
}

export interface ListedConnection extends NewConnection {
  readonly hasCredential: boolean;
}

/** Names and kinds; a credential is never read back. */
export const listed = ({ row, value }: Stored<Connection>): ListedConnection => ({
  id: row.row,
  site: value.site,
  kind: value.kind,
  hasCredential: value.credentialVersion !== null,
});

export async function listConnections(
  { store }: Pick<ConnectionDeps, "store">,
  tenant: string,
  page: PageRequest,
): Promise<Page<ListedConnection>> {
  const { items, next } = await store.connections.page(tenant, page);
  return { items: items.map(listed), next };
}

/** In clear, or sealed: then for this very connection. @throws api.not_found, api.invalid, api.changed, secrets.unavailable */
export async function storeCredential(
  { store, secrets, now }: ConnectionDeps,
  tenant: string,
  connection: string,
  credential: Credential,
): Promise<{ connection: string; storedAt: string }> {
  await requireOpen(store, tenant);
  const stored = await requireConnection(store, tenant, connection);
  if (credential.form === "sealed") refuseOthers(credential, { tenant, connection, site: stored.value.site });
  const kept = credential.form === "sealed" ? credential : { ...credential, signIn: wayFor(stored.value, credential) };
  const credentialVersion = await putCredential(secrets, tenant, connection, kept);
  const storedAt = now().toISOString();
  if (
    (await store.connections.update(stored, { ...stored.value, credentialVersion, credentialAt: storedAt })) ===
    undefined
  ) {
    throw new SallyportError("api.changed", "The connection was changed meanwhile.");
  }
  return { connection, storedAt };
}

type PlainCredential = Extract<Credential, { form: "plain" }>;
const DIRECTORY_WAYS: readonly string[] = ["simple", "negotiate", "ntlm"];

/** What a body leaves out became `sql`, which no directory knows. @throws api.invalid for a way of another kind of system */
function wayFor({ kind }: Connection, { signIn }: PlainCredential): PlainCredential["signIn"] {
  const isDirectory = kind === "activeDirectory";
  if (isDirectory && signIn === "sql") return "simple";
  if (isDirectory === DIRECTORY_WAYS.includes(signIn)) return signIn;
  throw new SallyportError("api.invalid", `A connection of kind ${kind} is not signed in to by ${signIn}.`, {
    fields: ["signIn"],
  });
}

/** Told here, because at the agent it would only not open. */
function refuseOthers(sealed: SealedFile, here: { tenant: string; site: string; connection: string }): void {
  const fields = (["tenant", "site", "connection"] as const).filter((name) => sealed[name] !== here[name]);
  if (fields.length === 0) return;
  throw new SallyportError("api.invalid", "The credential was sealed for another connection than this one.", {
    fields,
  });
}

/** @throws api.not_found */
export async function requireConnection(
  store: Pick<Store, "connections">,
  tenant: string,
  connection: string,
): Promise<Stored<Connection>> {
  const stored = await store.connections.get(tenant, connection);
  if (stored === undefined)
    throw new SallyportError("api.not_found", `There is no connection ${connection}.`, { connection });
  return stored;
}
