/** What the platform team does with webhooks: make, list, rotate the secret, test, end. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { createdWebhook, NewWebhook, rotatedWebhook, WebhookView } from "@sallyport/shared/schema/events.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import type { z } from "zod";
import type { SecretStore } from "../secrets/secrets.ts";
import { laneOf } from "../store/lanes.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { Webhook } from "../store/webhooks.ts";
import { type Places, places } from "../tenants/places.ts";
import { requireOpen } from "../tenants/quotas.ts";
import { requireTenant } from "../tenants/tenants.ts";
import { type EmitDeps, ringSafely } from "./emit.ts";
import { enter } from "./enter.ts";
import { testEvent } from "./event.ts";
import { addressesOf, type PostDeps } from "./post.ts";
import { drawSecret, type SecretsOf, webhookSecrets } from "./sign.ts";

export interface WebhookDeps
  extends Pick<PostDeps, "resolve" | "networks">,
    Pick<EmitDeps, "lanes" | "now" | "monotonic" | "ring" | "log"> {
  readonly store: Store;
  readonly secrets: SecretStore;
  /** For lookups of new ones' names. */
  readonly lookups: Places;
  /** Of the orchestrator, as in enrolments. */
  readonly origin: string;
  readonly random: (bytes: number) => Buffer;
}

/** More would make every event of the tenant as many deliveries. */
const MOST_OF_A_TENANT = 10;
/** For the lookup of a new one's name. */
const LOOKUP_MS = 8_000;
/** Names of new webhooks that one tenant has looked up at a time. */
const LOOKUPS_OF_A_TENANT = 3;

export const lookupPlaces = (): Places => places(Number.POSITIVE_INFINITY, LOOKUPS_OF_A_TENANT);

/** Lengths as in the names of credentials: no two webhooks share one. */
const secretName = (tenant: string, webhook: string): string =>
  `webhook-${nameId.parse(tenant).length}-${tenant}-${nameId.parse(webhook)}`;

/** Throws `secrets.unavailable`. */
export const readSecretsOf =
  (secrets: SecretStore): SecretsOf =>
  async (tenant, webhook) => {
    const stored = await secrets.get(secretName(tenant, webhook));
    const all = stored === undefined ? [] : webhookSecrets.parse(JSON.parse(stored.value));
    if (all.length > 0) return all;
    throw new SallyportError("secrets.unavailable", `Webhook ${webhook} has no secret.`, { webhook });
  };

/** The secret stands in this answer only. @throws api.not_found, api.conflict, api.too_many_calls, webhook.address_refused, webhook.unreachable */
export async function addWebhook(
  deps: WebhookDeps,
  tenant: string,
  { id, url, types }: NewWebhook,
  by: string,
): Promise<z.infer<typeof createdWebhook>> {
  const { store, secrets } = deps;
  await requireTenant(store, tenant);
  await requireOpen(store, tenant);
  if ((await store.webhooks.list(tenant)).length >= MOST_OF_A_TENANT) {
    throw new SallyportError("api.conflict", `A tenant has at most ${MOST_OF_A_TENANT} webhooks.`);
  }
  // Said now rather than by a delivery that fails for a day. What the name means later is asked at each delivery.
  const target = new URL(url);
  const leavePlace = deps.lookups.take(tenant);
  if (leavePlace === undefined) throw tooMany();
  const addresses = await addressesOf(deps, target, AbortSignal.timeout(LOOKUP_MS)).finally(leavePlace);
  if ("ok" in addresses) {
    throw new SallyportError(addresses.code, `The webhook's URL is refused: ${addresses.detail}.`, { field: "url" });
  }
  if ((await store.webhooks.get(tenant, id)) !== undefined) throw exists(id);
  const secret = drawSecret(deps.random);
  // First the secret: a webhook that is there has one to sign with.
  await secrets.put(secretName(tenant, id), JSON.stringify([{ secret, until: null }]));
  const record = {
    url,
    types: types ?? null,
    createdAt: deps.now().toISOString(),
    createdBy: by,
    failing: null,
  };
  if (!(await store.webhooks.insert(tenant, id, record))) throw exists(id);
  return { id, url, types: record.types, createdAt: record.createdAt, failing: null, secret };
}

const tooMany = () =>
  new SallyportError("api.too_many_calls", "Names of new webhooks are being looked up for the tenant.", { seconds: 5 });
const exists = (id: string) => new SallyportError("api.conflict", `A webhook ${id} exists already.`);

export const listWebhooks = async ({ store }: Pick<WebhookDeps, "store">, tenant: string): Promise<WebhookView[]> =>
  (await store.webhooks.list(tenant)).map(viewOf);

/** @throws api.not_found */
export const getWebhook = async (deps: Pick<WebhookDeps, "store">, tenant: string, id: string): Promise<WebhookView> =>
  viewOf(await requireWebhook(deps, tenant, id));

/** A new secret, shown in this answer only; the one before signs too for a while. @throws api.not_found */
export async function rotateWebhook(
  deps: WebhookDeps,
  tenant: string,
  id: string,
  overlapSeconds: number,
): Promise<z.infer<typeof rotatedWebhook>> {
  await requireWebhook(deps, tenant, id);
  const [current] = await readSecretsOf(deps.secrets)(tenant, id);
  const secret = drawSecret(deps.random);
  const previousUntil = new Date(deps.now().getTime() + overlapSeconds * 1000).toISOString();
  const before = current === undefined ? [] : [{ secret: current.secret, until: previousUntil }];
  await deps.secrets.put(secretName(tenant, id), JSON.stringify([{ secret, until: null }, ...before]));
  return { id, secret, previousUntil };
}

/** What still waits for it is dropped. @throws api.not_found, api.changed */
export async function removeWebhook(deps: WebhookDeps, tenant: string, id: string): Promise<{ id: string }> {
  const stored = await requireWebhook(deps, tenant, id);
  if (!(await deps.store.webhooks.remove(stored))) {
    throw new SallyportError("api.changed", "The webhook was changed meanwhile.");
  }
  await deps.secrets.remove(secretName(tenant, id));
  return { id };
}

/** Sends an event to this webhook only, through its lane as all others go. @throws api.not_found */
export async function testWebhook(deps: WebhookDeps, tenant: string, id: string): Promise<{ event: string }> {
  await requireWebhook(deps, tenant, id);
  const drawn = `${id}/test/${deps.random(8).toString("hex")}`;
  const event = testEvent(deps.origin, tenant, id, drawn, deps.now().toISOString());
  const key = { tenant, webhook: id, lane: laneOf(event.subject) };
  await enter(deps, key, event);
  await ringSafely(deps, key);
  return { event: event.id };
}

/** All of a tenant's, for its end. */
export async function endWebhooks(
  { store, secrets }: Pick<WebhookDeps, "store" | "secrets">,
  tenant: string,
): Promise<void> {
  for (const stored of await store.webhooks.list(tenant)) {
    await store.webhooks.remove(stored);
    await secrets.remove(secretName(tenant, stored.row.row));
  }
}

async function requireWebhook(
  { store }: Pick<WebhookDeps, "store">,
  tenant: string,
  id: string,
): Promise<Stored<Webhook>> {
  const stored = await store.webhooks.get(tenant, id);
  if (stored === undefined) throw new SallyportError("api.not_found", `There is no webhook ${id}.`, { webhook: id });
  return stored;
}

const viewOf = ({ row, value: { url, types, createdAt, failing } }: Stored<Webhook>): WebhookView => ({
  ...{ id: row.row, url, types, createdAt, failing },
});
