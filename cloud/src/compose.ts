/**
 * Builds the orchestrator's clients once and joins its parts. Each service's setting is a connection string or an
 * endpoint; its shape decides how we sign in, and nothing else in the product asks.
 */
import { randomBytes } from "node:crypto";
import { TableClient } from "@azure/data-tables";
import { DefaultAzureCredential } from "@azure/identity";
import { ServiceBusClient } from "@azure/service-bus";
import { BlobServiceClient } from "@azure/storage-blob";
import { confirmRotation } from "@sallyport/shared/crypto/rotation.ts";
import { openGuard } from "./access/compose.ts";
import type { GuardDeps } from "./access/guard.ts";
import { agentDirectory } from "./agents/agent-store.ts";
import { type CanaryDeps, noteReached } from "./agents/canary.ts";
import { createLoad } from "./agents/choice.ts";
import type { EnrolmentDeps } from "./agents/enrolment.ts";
import { createHybridConnections, type HybridConnections } from "./agents/hybrid-connections.ts";
import { retireSilent, settle } from "./agents/registry.ts";
import { openSigningKey } from "./agents/signing/open.ts";
import { JTI_MINUTES, type TokenDeps } from "./agents/tokens.ts";
import { createTries, type Tries } from "./agents/tries.ts";
import { createEnding, type Ending } from "./ending.ts";
import { composeEvents, type Events } from "./events/compose.ts";
import { composeHealth } from "./health/compose.ts";
import type { Health } from "./health/health.ts";
import { type PullDeps, systemClock } from "./pulls/deps.ts";
import { serviceBusRing } from "./pulls/ring.ts";
import { DEFAULT_PULL_SETTINGS, type PullSettings } from "./pulls/settings.ts";
import { parseConnectionString, requireConnectionString, sharedAccessSignature } from "./relay.ts";
import { ringRequests } from "./requests/bell.ts";
import { DEFAULT_REQUEST_SETTINGS, type RequestDeps } from "./requests/deps.ts";
import { requestPlaces } from "./requests/places.ts";
import { sweepBoth, sweepExpired } from "./requests/sweep.ts";
import { getCredential } from "./secrets/credentials.ts";
import { openSecrets, settingOrSecret } from "./secrets/open.ts";
import type { SecretStore } from "./secrets/secrets.ts";
import { createOpenSession } from "./sessions/open.ts";
import { createPing } from "./sessions/ping.ts";
import { originOf, readSettings, type Settings } from "./settings.ts";
import { blobLinks, type Links } from "./sinks/links.ts";
import { openSinks } from "./sinks/open.ts";
import { openStore, type Store } from "./store/open.ts";
import { openTelemetry } from "./telemetry/open.ts";
import { requireConnection } from "./tenants/connections.ts";
import type { OfferDeps } from "./updates/offer.ts";
import type { ReleaseDeps } from "./updates/releases.ts";

/** Everything a trigger may call. */
export interface Orchestrator {
  readonly store: Store;
  readonly secrets: SecretStore;
  readonly hybridConnections: HybridConnections;
  /** Of all HTTP functions for callers with a key. */
  readonly guard: GuardDeps;
  readonly enrolment: EnrolmentDeps;
  readonly tokens: TokenDeps;
  readonly tries: Tries;
  readonly canaries: CanaryDeps;
  readonly pulls: PullDeps;
  readonly requests: RequestDeps;
  readonly events: Events;
  readonly releases: ReleaseDeps & OfferDeps;
  readonly health: Health;
  now(): Date;
  random(bytes: number): Buffer;
}

// Read when the app is loaded: a wrong setting is named at start, not at the first call.
const settings: Settings = readSettings(process.env);
/** Pulls and requests have another pause of their own. */
const WAIT = settings.SALLYPORT_WAIT_SECONDS === undefined ? {} : { waitSeconds: settings.SALLYPORT_WAIT_SECONDS };
/** The doorbells' queue. */
export const SLICES_QUEUE = "slices";
/** The queue that rings for webhooks, and the topic that events go to. */
export const DELIVERIES_QUEUE = "deliveries";
const EVENTS_TOPIC = "events";
const RELAY_SCOPE = "https://relay.azure.net//.default";
const MANAGEMENT_SCOPE = "https://management.azure.com/.default";
/** Seconds that a send token by a shared key lives. */
const SEND_TOKEN_SECONDS = 300;

/** Of this process; functions/ending.ts tells it of the host's. */
export const ending: Ending = createEnding();
/** Aborted when the host is about to stop this process: runs are then handed over. */
export const stopping: AbortSignal = ending.stopping;

let built: Promise<Orchestrator> | undefined;

/** The orchestrator of this process, built by the first trigger that needs it. */
export function orchestrator(): Promise<Orchestrator> {
  built ??= build().catch((thrown: unknown) => {
    // A vault that does not answer, or whose role is not there yet, must not cost this process its life.
    built = undefined;
    throw thrown;
  });
  return built;
}

/** What is done each hour, for about `mostMs`: what has expired goes, and agents of which nothing was heard for long are retired. */
export function sweep(deps: Orchestrator, mostMs: number): Promise<{ agents: number; rows: number }> {
  return sweepBoth(
    () => retireSilent(deps, settings.SALLYPORT_RETIRE_DAYS),
    () => sweepExpired({ ...deps.requests, store: deps.store }, mostMs),
  );
}

async function build(): Promise<Orchestrator> {
  const identity = new DefaultAzureCredential();
  const tokenFor = async (scope: string) => (await identity.getToken(scope)).token;
  const now = () => new Date();
  const random = (bytes: number) => randomBytes(bytes);
  const store = openStore((name) => tableClient(settings.SALLYPORT_TABLES, name, identity), random);
  const [secrets, signing, listen] = await Promise.all([
    openSecrets(settings, identity, random),
    openSigningKey(settings.SALLYPORT_SIGNING_KEY, identity, now),
    settingOrSecret("SALLYPORT_RELAY_LISTEN", settings.SALLYPORT_RELAY_LISTEN, identity),
  ]);
  const telemetry = await openTelemetry(settings, (what, facts) => logLine("telemetry", what, facts));
  ending.atLast(() => telemetry.end());
  const load = createLoad();
  const directory = agentDirectory({ store, secrets, alert, load, now, random });
  const listenRule = requireConnectionString(listen, "SALLYPORT_RELAY_LISTEN");
  const hybridConnections = createHybridConnections({
    resource: settings.SALLYPORT_RELAY_RESOURCE,
    token: () => tokenFor(MANAGEMENT_SCOPE),
  });
  const canarySeconds = settings.SALLYPORT_CANARY_SECONDS;
  const sender = relaySender(settings.SALLYPORT_RELAY, () => tokenFor(RELAY_SCOPE));
  const bus = serviceBusClient(identity);
  const events = composeEvents({
    ...{ store, secrets, canarySeconds, random, now, alert },
    origin: originOf(settings),
    topic: bus.createSender(EVENTS_TOPIC),
    deliveries: bus.createSender(DELIVERIES_QUEUE),
    networks: settings.SALLYPORT_WEBHOOK_NETWORKS,
    firstSeconds: settings.SALLYPORT_WEBHOOK_BACKOFF_SECONDS,
    log: (what, facts) => logLine("event", what, facts),
  });
  const pulls = pullDeps({
    store,
    events,
    bus,
    identity,
    random,
    telemetry,
    openSession: createOpenSession({
      ...sender,
      telemetry,
      signer: signing.signer,
      connectionOf: async (tenant, connection) => (await requireConnection(store, tenant, connection)).value,
      candidates: directory.candidates,
      isCurrent: directory.isCurrent,
      began: load.began,
      reached: (tenant, site, agent, hello) =>
        noteReached({ store, canarySeconds, now }, { tenant, site, agent }, hello),
      credentialOf: (tenant, connection, version) => getCredential(secrets, tenant, connection, version),
      alert,
    }),
  });
  const { blobs, links, openSession } = pulls;
  const slices = bus.createSender(SLICES_QUEUE);
  return {
    events,
    releases: { store, blobs, uploads: pulls.uploads, origin: originOf(settings), signer: signing.signer, now },
    store,
    secrets,
    hybridConnections,
    now,
    random,
    tries: createTries(() => performance.now()),
    guard: openGuard({ settings, store, secrets, now, random }),
    enrolment: {
      ...directory,
      origin: originOf(settings),
      relayHost: listenRule.host,
      canarySeconds,
      keys: signing.keys,
      keysSeq: signing.seq,
      createPath: hybridConnections.create,
      insertAgent: async (agent) => {
        await directory.insertAgent(agent);
        await settle({ store, hybridConnections, now }, { ...agent, agent: agent.id });
      },
      now,
      random,
    },
    tokens: {
      ...directory,
      origin: originOf(settings),
      listenRule,
      canarySeconds,
      keysStatement: () => signing.statement(originOf(settings)),
      keyChainSince: signing.chainSince,
      confirm: (of) => confirmRotation(of, signing.signer),
      useJti: (agent, jti) => store.jtis.use(agent, jti, new Date(Date.now() + JTI_MINUTES * 60_000).toISOString()),
      now,
    },
    canaries: {
      store,
      ping: createPing({ ...sender, signer: signing.signer, alert }),
      canarySeconds,
      now,
      random,
      telemetry,
      log: (what, facts) => logLine("agent", what, facts),
    },
    pulls,
    health: await composeHealth({
      ...{ ...sender, store, canarySeconds, blobs, queue: slices, signing },
      log: (what, facts) => logLine("health", what, facts),
    }),
    requests: {
      ...{ store, blobs, links, openSession, stopping, now, random },
      places: requestPlaces(),
      ring: ringRequests(slices),
      settings: {
        ...DEFAULT_REQUEST_SETTINGS,
        leaseSeconds: settings.SALLYPORT_LEASE_SECONDS,
        ...WAIT,
      },
      log: (what, facts) => logLine("request", what, facts),
    },
  };
}

interface PullParts extends Pick<PullDeps, "store" | "openSession" | "random" | "telemetry"> {
  readonly events: Events;
  readonly bus: ServiceBusClient;
  readonly identity: DefaultAzureCredential;
}

function pullDeps({
  store,
  events,
  bus,
  identity,
  openSession,
  random,
  telemetry,
}: PullParts): PullDeps & { readonly uploads: Links } {
  const blobService = blobClient(settings.SALLYPORT_BLOBS, identity);
  const container = blobService.getContainerClient(settings.SALLYPORT_CONTAINER);
  const pullSettings: PullSettings = {
    ...DEFAULT_PULL_SETTINGS,
    leaseSeconds: settings.SALLYPORT_LEASE_SECONDS,
    wakeLeadSeconds: settings.SALLYPORT_WAKE_LEAD_SECONDS,
    claimSeconds: settings.SALLYPORT_CLAIM_SECONDS,
    claims: settings.SALLYPORT_CLAIMS,
    backoffSeconds: settings.SALLYPORT_BACKOFF_SECONDS,
    sliceSeconds: settings.SALLYPORT_SLICE_SECONDS,
    ...WAIT,
  };
  return {
    store,
    blobs: container,
    sinks: openSinks({ container, blockBytes: pullSettings.windowBytes / 4, random }),
    links: blobLinks(blobService, container, Date.now),
    uploads: blobLinks(blobService, container, Date.now, "cw"),
    openSession,
    ring: serviceBusRing(bus.createSender(SLICES_QUEUE)),
    tell: events.tell,
    tellFreshness: events.tellFreshness,
    clock: systemClock,
    random,
    settings: pullSettings,
    telemetry,
    log: (what, facts) => logLine("pull", what, facts),
  };
}

function tableClient(setting: string, name: string, identity: DefaultAzureCredential): TableClient {
  return isEndpoint(setting)
    ? new TableClient(setting, name, identity)
    : TableClient.fromConnectionString(setting, name, { allowInsecureConnection: true });
}

const blobClient = (setting: string, identity: DefaultAzureCredential): BlobServiceClient =>
  isEndpoint(setting) ? new BlobServiceClient(setting, identity) : BlobServiceClient.fromConnectionString(setting);

function serviceBusClient(identity: DefaultAzureCredential): ServiceBusClient {
  const namespace = settings.SALLYPORT_SERVICEBUS__fullyQualifiedNamespace;
  return namespace === undefined
    ? new ServiceBusClient(settings.SALLYPORT_SERVICEBUS ?? "")
    : new ServiceBusClient(namespace, identity);
}

/** The sender's host and authorization: a shared key's signature for one path, or the identity's token. */
function relaySender(setting: string, token: () => Promise<string>) {
  const rule = parseConnectionString(setting);
  if (rule === undefined) return { relayHost: setting, authorization: token };
  const authorization = async (path: string) =>
    sharedAccessSignature(rule, path, Math.floor(Date.now() / 1000) + SEND_TOKEN_SECONDS);
  return { relayHost: rule.host, authorization };
}

const isEndpoint = (setting: string): boolean => /^https:\/\//.test(setting);

const alert = (what: string, facts: Readonly<Record<string, unknown>>): void => logLine("alert", what, facts);

/** One JSON line, which Application Insights and the host's log keep: ids, codes and numbers, never values. */
function logLine(
  kind: "agent" | "alert" | "event" | "health" | "pull" | "request" | "telemetry",
  what: string,
  facts: Readonly<Record<string, unknown>>,
): void {
  const line = JSON.stringify({ kind, what, ...facts });
  if (kind === "alert") console.error(line);
  else console.log(line);
}
