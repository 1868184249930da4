/** All tables of the orchestrator, opened once. */
import type { TableClient } from "@azure/data-tables";
import { type AgentStore, agentStore } from "./agents.ts";
import { type ApiKeyStore, apiKeyStore } from "./api-keys.ts";
import { type AuditRecord, auditStore } from "./audit.ts";
import { type CodeStore, codeStore } from "./codes.ts";
import { type Connection, connectionStore } from "./connections.ts";
import { type EventStore, eventStore } from "./events.ts";
import { type JtiStore, jtiStore } from "./jtis.ts";
import type { Keyed } from "./keyed.ts";
import { type LaneStore, laneStore } from "./lanes.ts";
import { type ReleaseRecord, releaseStore } from "./releases.ts";
import { type RepeatKeyRecord, type RepeatRecord, repeatKeyStore, repeatStore } from "./repeats.ts";
import { type RequestRecord, requestStore } from "./requests.ts";
import { type RunStore, runStore } from "./runs.ts";
import { type Site, siteStore } from "./sites.ts";
import { type TenantStore, tenantStore } from "./tenants.ts";
import { type WakeStore, wakeStore } from "./wake.ts";
import { type Watched, watchedStore } from "./watched.ts";
import { type Webhook, webhookStore } from "./webhooks.ts";

export interface Store {
  readonly runs: RunStore;
  readonly wake: WakeStore;
  readonly tenants: TenantStore;
  readonly sites: Keyed<Site>;
  readonly connections: Keyed<Connection>;
  readonly apiKeys: ApiKeyStore;
  readonly agents: AgentStore;
  readonly codes: CodeStore;
  readonly jtis: JtiStore;
  readonly requests: Keyed<RequestRecord>;
  readonly audit: Keyed<AuditRecord>;
  readonly repeats: Keyed<RepeatRecord>;
  readonly repeatKeys: Keyed<RepeatKeyRecord>;
  readonly events: EventStore;
  readonly webhooks: Keyed<Webhook>;
  readonly lanes: LaneStore;
  readonly watched: Keyed<Watched>;
  readonly releases: Keyed<ReleaseRecord>;
}

const TABLES = [
  "runs",
  "wake",
  "tenants",
  "sites",
  "connections",
  "apikeys",
  "agents",
  "codes",
  "jtis",
  "requests",
  "audit",
  "repeats",
  "events",
  "webhooks",
  "deliveries",
  "watched",
  "releases",
] as const;

/** `connect` makes the client of one table; whether by a connection string or an identity is the caller's matter. */
export type ConnectTable = (name: string) => TableClient;

/** Creates the tables that are missing. Idempotent; for the embedded default, in Azure the deployment makes them. */
export async function createTables(connect: ConnectTable): Promise<void> {
  await Promise.all(TABLES.map((name) => connect(name).createTable()));
}

export function openStore(connect: ConnectTable, random: (bytes: number) => Buffer): Store {
  return {
    runs: runStore(connect("runs")),
    wake: wakeStore(connect("wake"), random),
    tenants: tenantStore(connect("tenants")),
    sites: siteStore(connect("sites")),
    connections: connectionStore(connect("connections")),
    apiKeys: apiKeyStore(connect("apikeys")),
    agents: agentStore(connect("agents")),
    codes: codeStore(connect("codes")),
    jtis: jtiStore(connect("jtis")),
    requests: requestStore(connect("requests")),
    events: eventStore(connect("events")),
    webhooks: webhookStore(connect("webhooks")),
    lanes: laneStore(connect("deliveries"), random),
    watched: watchedStore(connect("watched")),
    releases: releaseStore(connect("releases")),
    audit: auditStore(connect("audit")),
    repeats: repeatStore(connect("repeats")),
    repeatKeys: repeatKeyStore(connect("repeats")),
  };
}
