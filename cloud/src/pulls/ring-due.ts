/** Ringing what a tick has found to be due: as many of a site at once as its agents take, the others a little later. */

import { admit } from "./admission.ts";
import type { PullDeps } from "./deps.ts";
import type { Doorbell } from "./ring.ts";
import { ringSafely } from "./start.ts";

/**
 * Rings in turn. What a site would only get to beyond the lead of the wake entries is not rung now: its pull is looked at
 * again then. The agents' own limits are the authority; this spares them most of the refusals.
 */
export async function ringDue(deps: PullDeps, bells: readonly Doorbell[], nowMs: number): Promise<void> {
  const { roundSeconds, wakeLeadSeconds } = deps.settings;
  const sites = await sitesOf(deps, bells);
  const places = new Map<string, number>();
  for (const [site, { tenant, name }] of sites.found) places.set(site, await placesAt(deps, tenant, name));
  const siteOf = (bell: Doorbell) => sites.byPull.get(`${bell.tenant}|${bell.pull}`);
  for (const { bell, round } of admit(bells, siteOf, (tenant, site) => places.get(`${tenant}|${site}`) ?? 1)) {
    const laterSeconds = round * roundSeconds;
    const { run, ...key } = bell;
    if (laterSeconds >= wakeLeadSeconds) continue;
    await ringSafely(deps, key, run, round === 0 ? undefined : nowMs + laterSeconds * 1000);
  }
}

interface Sites {
  readonly byPull: Map<string, string>;
  readonly found: Map<string, { readonly tenant: string; readonly name: string }>;
}

/** Where the pulls' connections are; only for tenants with more than one, since one alone is always admitted. */
async function sitesOf({ store }: PullDeps, bells: readonly Doorbell[]): Promise<Sites> {
  const sites: Sites = { byPull: new Map(), found: new Map() };
  for (const [tenant, same] of Map.groupBy(bells, (bell) => bell.tenant)) {
    if (same.length < 2) continue;
    const connections = new Map<string, string | undefined>();
    for (const { pull } of same) {
      const connection = (await store.runs.definition({ tenant, pull }))?.value.definition.connection;
      if (connection === undefined) continue;
      if (!connections.has(connection)) {
        connections.set(connection, (await store.connections.get(tenant, connection))?.value.site);
      }
      const name = connections.get(connection);
      if (name === undefined) continue;
      sites.byPull.set(`${tenant}|${pull}`, name);
      sites.found.set(`${tenant}|${name}`, { tenant, name });
    }
  }
  return sites;
}

/** Sessions that the site's agents take together, by what each takes when nothing else was configured. */
async function placesAt({ store, settings }: PullDeps, tenant: string, site: string): Promise<number> {
  const agents = await store.agents.list(tenant, site);
  const ready = agents.filter(({ value }) => value.status === "active" && !value.draining && !value.locked);
  return Math.max(1, ready.length) * settings.agentSessions;
}
