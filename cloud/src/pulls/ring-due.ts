/** Ringing what a tick has found to be due: as many of a site at once as its agents take, the others a little later. */
import { healthOf } from "../agents/choice.ts";
import type { PullKey } from "../store/runs.ts";
import { admit } from "./admission.ts";
import type { PullDeps } from "./deps.ts";
import type { Doorbell } from "./ring.ts";
import { isHeld } from "./run.ts";
import { ringSafely } from "./start.ts";

/**
 * Rings in turn. What a site would only get to beyond the lead of the wake entries is not rung now: its pull is looked at
 * again then. The agents' own limits are the authority; this spares them most of the refusals.
 */
export async function ringDue(deps: PullDeps, bells: readonly Doorbell[], nowMs: number): Promise<void> {
  const { roundSeconds, wakeLeadSeconds } = deps.settings;
  const running = bells.length === 0 ? [] : await runningNow(deps, bells, nowMs);
  const sites = await sitesOf(deps, bells, running);
  const places = new Map<string, number>();
  for (const [site, { tenant, name }] of sites.found) places.set(site, await placesAt(deps, tenant, name));
  const siteOf = ({ tenant, pull }: PullKey) => sites.byPull.get(`${tenant}|${pull}`);
  const busy = Map.groupBy(running, (key) => `${key.tenant}|${siteOf(key)}`);
  const admitted = admit(
    bells,
    siteOf,
    (tenant, site) => places.get(`${tenant}|${site}`) ?? 1,
    (tenant, site) => busy.get(`${tenant}|${site}`)?.length ?? 0,
  );
  for (const { bell, round } of admitted) {
    const laterSeconds = round * roundSeconds;
    const { run, ...key } = bell;
    if (laterSeconds >= wakeLeadSeconds) continue;
    await ringSafely(deps, key, run, round === 0 ? undefined : nowMs + laterSeconds * 1000);
  }
}

/** Beyond the lead: between two looks at the clock. */
const MARGIN_SECONDS = 10;

/**
 * Pulls of these tenants that a live claim works on. Each has a wake entry no further ahead than its lease, or the lead, so
 * they are found in the next minute of the index: 16 range queries, and two reads for each pull that has an entry there.
 */
async function runningNow(deps: PullDeps, bells: readonly Doorbell[], nowMs: number): Promise<PullKey[]> {
  const { settings, store } = deps;
  const tenants = new Set(bells.map(({ tenant }) => tenant));
  const rung = new Set(bells.map(({ tenant, pull }) => `${tenant}|${pull}`));
  const aheadMs = (Math.max(settings.wakeLeadSeconds, settings.leaseSeconds) + MARGIN_SECONDS) * 1000;
  const near = new Map<string, PullKey>();
  for (const { tenant, pull } of await store.wake.between(nowMs, nowMs + aheadMs, settings.tickEntries)) {
    const key = `${tenant}|${pull}`;
    if (tenants.has(tenant) && !rung.has(key)) near.set(key, { tenant, pull });
  }
  const running: PullKey[] = [];
  for (const key of near.values()) {
    const active = (await store.runs.cursor(key))?.value.activeRun ?? null;
    const run = active === null ? undefined : await store.runs.run(key, active);
    if (run !== undefined && isHeld(run)) running.push(key);
  }
  return running;
}

interface Sites {
  readonly byPull: Map<string, string>;
  readonly found: Map<string, { readonly tenant: string; readonly name: string }>;
}

/** Where the pulls' connections are; only for tenants with more than one, since one alone is always admitted. */
async function sitesOf({ store }: PullDeps, bells: readonly Doorbell[], running: readonly PullKey[]): Promise<Sites> {
  const sites: Sites = { byPull: new Map(), found: new Map() };
  for (const [tenant, same] of Map.groupBy([...bells, ...running], (each) => each.tenant)) {
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

/** Sessions that the site's agents take together, as they have announced; where none likely serves, as if one did. */
async function placesAt({ store, settings, clock }: PullDeps, tenant: string, site: string): Promise<number> {
  const agents = await store.agents.list(tenant, site);
  const serving = agents.filter(({ value }) => value.status === "active" && healthOf(value, clock.now()) === "serves");
  const places = serving.reduce((sum, { value }) => sum + (value.maxSessions ?? settings.agentSessions), 0);
  return places > 0 ? places : settings.agentSessions;
}
