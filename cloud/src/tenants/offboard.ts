/**
 * Ending a tenant: first it is closed, so that nothing new is made; then what acts for it stops (keys, pulls, agents), then
 * what is secret or its own is deleted. Each step may be repeated; a call that was cut short is made again.
 */
import type { ContainerClient } from "@azure/storage-blob";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { offboarding } from "@sallyport/shared/schema/api.ts";
import type { Offboarded } from "@sallyport/shared/schema/api-views.ts";
import type { z } from "zod";
import { endKey } from "../access/keys.ts";
import type { HybridConnections } from "../agents/hybrid-connections.ts";
import { revokeAgent } from "../agents/registry.ts";
import { endWebhooks } from "../events/webhooks.ts";
import { cancelRun } from "../pulls/cancel.ts";
import { setPaused } from "../pulls/define.ts";
import type { PullDeps } from "../pulls/deps.ts";
import { getPull } from "../pulls/views.ts";
import { dropCredential } from "../secrets/credentials.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import { requireTenant, type TenantDeps } from "./tenants.ts";

export interface OffboardDeps extends TenantDeps {
  readonly secrets: SecretStore;
  readonly hybridConnections: HybridConnections;
  readonly pulls: PullDeps;
  random(bytes: number): Buffer;
}

const ALL = Number.POSITIVE_INFINITY;
/** Blobs that one call deletes: an HTTP answer takes 230 seconds at most. */
const MOST_BLOBS = 5_000;
const AT_ONCE = 16;

/** @throws api.invalid unless the tenant is confirmed, api.not_found, api.changed, storage.failed, secrets.unavailable */
export async function offboard(
  deps: OffboardDeps,
  tenant: string,
  { confirm, deleteResults }: z.infer<typeof offboarding>,
): Promise<Offboarded> {
  if (confirm !== tenant) {
    throw new SallyportError("api.invalid", "`confirm` is not the tenant of the address.", { fields: ["confirm"] });
  }
  const closedAt = await close(deps, tenant);
  const keys = await endKeys(deps, tenant);
  const pulls = await endPulls(deps, tenant);
  const agents = await endAgents(deps, tenant);
  const credentials = await endCredentials(deps, tenant);
  await endWebhooks(deps, tenant);
  const results = deleteResults ? await deleteBlobs(deps.pulls.blobs, `${tenant}/`) : 0;
  return { closedAt, keys, pulls, agents, credentials, results, done: results < MOST_BLOBS };
}

async function close({ store, now }: OffboardDeps, tenant: string): Promise<string> {
  const stored = await requireTenant(store, tenant);
  if (stored.value.closedAt !== null) return stored.value.closedAt;
  const closedAt = now().toISOString();
  if ((await store.tenants.update(stored, { ...stored.value, closedAt })) === undefined) {
    throw new SallyportError("api.changed", "The tenant was changed meanwhile.");
  }
  return closedAt;
}

async function endKeys(deps: OffboardDeps, tenant: string): Promise<number> {
  const live = (await deps.store.apiKeys.list()).filter(
    ({ value }) => value.tenant === tenant && value.revokedAt === null,
  );
  for (const { row } of live) await endKey(deps, row.row);
  return live.length;
}

/** No schedule, and no active run. */
async function endPulls({ store, pulls }: OffboardDeps, tenant: string): Promise<number> {
  let ended = 0;
  for (const { pull, definition } of await store.runs.definitions(tenant)) {
    if (!definition.value.definition.paused) {
      await setPaused(pulls, { tenant, pull }, true);
      ended += 1;
    }
    const { activeRun } = await getPull(pulls, tenant, pull);
    if (activeRun !== null) await cancelRun(pulls, tenant, activeRun, "offboarding");
  }
  return ended;
}

/** By tenant and not by site: one that enrolled while its site was removed may have been left behind. */
async function endAgents(deps: OffboardDeps, tenant: string): Promise<number> {
  let ended = 0;
  for (const { row, value } of await deps.store.agents.all()) {
    if (value.tenant !== tenant || value.status === "revoked") continue;
    await revokeAgent(deps, tenant, value.site, row.row);
    ended += 1;
  }
  return ended;
}

async function endCredentials({ store, secrets }: OffboardDeps, tenant: string): Promise<number> {
  let ended = 0;
  for (const stored of await store.connections.list(tenant, ALL)) {
    // A removal that was cut short says that there is none, and may have left it behind.
    await dropCredential(secrets, tenant, stored.row.row);
    if (stored.value.credentialVersion === null) {
      if (stored.value.removedAt) ended += 1;
      continue;
    }
    const without = { ...stored.value, credentialVersion: null, credentialAt: null };
    if ((await store.connections.update(stored, without)) === undefined) {
      throw new SallyportError("api.changed", "A connection was changed meanwhile.");
    }
    ended += 1;
  }
  return ended;
}

/** Answers how many, at most a call's share. */
async function deleteBlobs(container: ContainerClient, prefix: string): Promise<number> {
  try {
    const names: string[] = [];
    for await (const { name } of container.listBlobsFlat({ prefix })) {
      names.push(name);
      if (names.length === MOST_BLOBS) break;
    }
    const next = names.values();
    const worker = async (): Promise<void> => {
      for (const name of next) await container.getBlobClient(name).deleteIfExists();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return names.length;
  } catch (thrown) {
    throw new SallyportError("storage.failed", "The blob service did not delete a tenant's results.", {}, thrown);
  }
}
