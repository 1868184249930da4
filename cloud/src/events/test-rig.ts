/** Events as several processes over the same tables have them: each may die at any write, and has a clock of its own. Only tests load this file. */
import { randomBytes } from "node:crypto";
import { type CloudEvent, cloudEvent } from "@sallyport/shared/schema/events.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import type { LaneKey } from "../store/lanes.ts";
import { createTables, openStore, type Store } from "../store/open.ts";
import type { TestAzurite } from "../store/test-azurite.ts";
import { type Faults, faultyNetwork } from "../store/test-faults.ts";
import { addTenant } from "../tenants/tenants.ts";
import { type DeliverDeps, deliverLane } from "./deliver.ts";
import { createEmit, type Emit, type EmitDeps } from "./emit.ts";
import { allowedNetworks } from "./networks.ts";
import { sweepLanes } from "./sweep.ts";
import { lookupPlaces, readSecretsOf, type WebhookDeps } from "./webhooks.ts";

export interface TestProcess extends DeliverDeps, EmitDeps, WebhookDeps {
  readonly store: Store;
  readonly emit: Emit;
  readonly faults: Faults;
  readonly bells: { readonly key: LaneKey; readonly atMs: number | undefined }[];
  readonly published: string[];
  readonly alerts: string[];
  advance(ms: number): void;
}

export interface TestRig {
  process(): TestProcess;
  /** A new tenant. */
  tenant(): Promise<string>;
  /** As the world goes on: bells that are due are answered, and lanes swept, until nothing is left before `untilMs`. */
  settle(process: TestProcess, untilMs: number): Promise<void>;
}

export async function testRig(azurite: TestAzurite): Promise<TestRig> {
  await createTables((name) => azurite.connectTable(name));
  const secrets = memorySecrets();
  let tenants = 0;
  const rig: TestRig = {
    process: () => processOf(azurite, secrets),
    async tenant() {
      const id = `tenant-${++tenants}`;
      await addTenant(
        { store: openStore((name) => azurite.connectTable(name), randomBytes), now: () => new Date() },
        { id, name: id },
      );
      return id;
    },
    async settle(process, untilMs) {
      const never = new AbortController().signal;
      for (;;) {
        await sweepLanes(process);
        const bells = process.bells.splice(0);
        for (const { key } of bells.filter(({ atMs = 0 }) => atMs <= process.now().getTime())) {
          await deliverLane(process, key, never);
        }
        const later = bells.filter(({ atMs = 0 }) => atMs > process.now().getTime());
        process.bells.push(...later);
        if (process.bells.some(({ atMs = 0 }) => atMs <= process.now().getTime())) continue;
        if (process.now().getTime() >= untilMs) return;
        const next = Math.min(untilMs, ...process.bells.map(({ atMs = 0 }) => atMs));
        process.advance(Math.max(1, next - process.now().getTime()));
      }
    },
  };
  return rig;
}

function processOf(azurite: TestAzurite, secrets: SecretStore): TestProcess {
  const faults = faultyNetwork();
  const options = { httpClient: faults.httpClient, retryOptions: { maxRetries: 0 } };
  const store = openStore((name) => azurite.connectTable(name, options), randomBytes);
  let shiftMs = 0;
  const bells: TestProcess["bells"] = [];
  const published: string[] = [];
  const alerts: string[] = [];
  const common: EmitDeps & Pick<TestProcess, "store"> = {
    store,
    lanes: store.lanes,
    now: () => new Date(Date.now() + shiftMs),
    monotonic: () => performance.now() + shiftMs,
    ring: async (key, atMs) => {
      if (faults.dead) throw new Error("dead");
      bells.push({ key, atMs });
    },
    publish: async (_tenant, event) => {
      if (faults.dead) throw new Error("dead");
      published.push(event.id);
    },
    log: () => undefined,
  };
  return {
    ...common,
    ...{ faults, bells, published, alerts, secrets },
    emit: createEmit(common),
    origin: "https://sallyport.example",
    lookups: lookupPlaces(),
    resolve: async () => [{ address: "127.0.0.1", family: 4 }],
    networks: allowedNetworks(["127.0.0.0/8"]),
    timeoutMs: 2000,
    secretsOf: readSecretsOf(secrets),
    backoff: { firstSeconds: 5, mostSeconds: 3600 },
    random: randomBytes,
    alert: (what) => void alerts.push(what),
    advance: (ms) => {
      shiftMs += ms;
    },
  };
}

function memorySecrets(): SecretStore {
  const all = new Map<string, string>();
  return {
    get: async (name) => {
      const value = all.get(name);
      return value === undefined ? undefined : { value, version: "1" };
    },
    put: async (name, value) => {
      all.set(name, value);
      return "1";
    },
    remove: async (name) => void all.delete(name),
  };
}

const STARTED_MS = Date.now();
let told = 0;
/** An event about a pull. */
export const eventAbout = (tenant: string, pull: string, id: string): CloudEvent =>
  cloudEvent.parse({
    specversion: "1.0",
    id: `${pull}/${id}`,
    source: `https://sallyport.example/api/v1/tenants/${tenant}`,
    type: "sallyport.run.published",
    subject: `pulls/${pull}`,
    time: new Date(STARTED_MS + told++).toISOString(),
    datacontenttype: "application/json",
    data: { tenant, pull },
  });
