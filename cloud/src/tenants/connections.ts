/** Connections of a tenant: names of systems that a site's policy knows, and where their credentials are. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Credential, newConnection, SealedFile } from "@sallyport/shared/schema/api.ts";
import type { removed } from "@sallyport/shared/schema/api-views.ts";
import type { z } from "zod";
import { dropCredential, putCredential } from "../secrets/credentials.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import type { Connection } from "../store/connections.ts";
import { type Page, type PageRequest, touch } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import { requireOpen, requireQuota } from "./quotas.ts";

export interface ConnectionDeps {
  readonly store: Store;
  readonly secrets: SecretStore;
  now(): Date;
}

type NewConnection = z.infer<typeof newConnection>;

/** @throws api.not_found, api.conflict, api.quota, api.closed, api.changed */
export async function addConnection(
  deps: ConnectionDeps,
  tenant: string,
  wanted: NewConnection,
): Promise<NewConnection> {
  const { store, now } = deps;
  if ((await store.sites.get(tenant, wanted.site)) === undefined) throw noSite(tenant, wanted.site);
  const there = await store.connections.get(tenant, wanted.id);
  if (there?.value.removedAt) await finishRemoval(deps, tenant, there);
  if (there === undefined || there.value.removedAt) {
    await requireOpen(store, tenant);
    await requireQuota(store, tenant, "connections");
  }
  const record = {
    site: wanted.site,
    kind: wanted.kind,
    createdAt: now().toISOString(),
    credentialVersion: null,
    credentialAt: null,
    removedAt: null,
  };
  if (!(await store.connections.insert(tenant, wanted.id, record))) {
    const { value } = await requireConnection(store, tenant, wanted.id);
    if (value.site !== wanted.site || value.kind !== wanted.kind) {
      throw new SallyportError("api.conflict", `Connection ${wanted.id} exists with another site or kind.`);
    }
  }
  // Written after the connection: a removal of the site that has not seen it is refused by this, or has come first.
  if ((await touch(store.sites, tenant, wanted.site)) === undefined) {
    await removeConnection(deps, tenant, wanted.id);
    throw noSite(tenant, wanted.site);
  }
  return wanted;
}

const noSite = (tenant: string, site: string) =>
  new SallyportError("api.not_found", `There is no site ${site} of tenant ${tenant}.`, { site });

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

/**
 * Removes a connection that no pull reads, with its credential. Its record says so first, and is written by every pull that
 * is made on it: whichever comes second is refused. What was cut short after that is finished by the same call again.
 * @throws api.not_found, api.conflict, api.changed, secrets.unavailable
 */
export async function removeConnection(
  deps: ConnectionDeps,
  tenant: string,
  connection: string,
): Promise<z.infer<typeof removed>> {
  const { store, now } = deps;
  const stored = await store.connections.get(tenant, connection);
  if (stored === undefined) throw noConnection(connection);
  const removedAt = stored.value.removedAt ?? now().toISOString();
  if (!stored.value.removedAt) await requireUnread(store, tenant, connection);
  const gone = { ...stored.value, credentialVersion: null, credentialAt: null, removedAt };
  const marked = await store.connections.update(stored, gone);
  if (marked === undefined) throw changed();
  await finishRemoval(deps, tenant, marked);
  return { id: connection, removedAt };
}

/** The credential goes before the record: it must not wait there for another connection of this name. */
async function finishRemoval(
  { store, secrets }: ConnectionDeps,
  tenant: string,
  marked: Stored<Connection>,
): Promise<void> {
  await dropCredential(secrets, tenant, marked.row.row);
  await store.connections.remove(marked);
}

const MOST_NAMED = 10;

async function requireUnread(store: Store, tenant: string, connection: string): Promise<void> {
  const pulls = (await store.runs.definitions(tenant))
    .filter(({ definition }) => definition.value.definition.connection === connection)
    .map(({ pull }) => pull);
  if (pulls.length === 0) return;
  const message = `Pulls read from connection ${connection}: remove them, or let them read from another.`;
  throw new SallyportError("api.conflict", message, { pulls: pulls.slice(0, MOST_NAMED) });
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
    // Removed meanwhile: what was stored for it must not wait there for the next connection of this name.
    const there = await store.connections.get(tenant, connection);
    if (there === undefined || there.value.removedAt) await dropCredential(secrets, tenant, connection);
    throw changed();
  }
  return { connection, storedAt };
}

const changed = () => new SallyportError("api.changed", "The connection was changed meanwhile.");

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
  if (stored === undefined || stored.value.removedAt) throw noConnection(connection);
  return stored;
}

const noConnection = (connection: string) =>
  new SallyportError("api.not_found", `There is no connection ${connection}.`, { connection });
