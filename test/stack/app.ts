/** What the function app is given: its identity, its keys, its settings, and the queue and relay that it finds. */
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { createTables } from "@sallyport/cloud/src/store/open.ts";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import type { TokenIssuer } from "../emulators/relay/token-checks.ts";
import type { OfficialConfig } from "../emulators/servicebus/config/official.ts";

/** The managed identity of the function app: its tokens are signed with this key. */
export interface Identity {
  readonly principalId: string;
  readonly privateKeyPem: string;
  readonly publicJwk: { kty: "EC"; crv: "P-256"; x: string; y: string };
}

export function makeIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    principalId: randomUUID(),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    publicJwk: publicKey.export({ format: "jwk" }) as Identity["publicJwk"],
  };
}

/** As in Azure: the app's identity holds the roles Azure Relay Sender and, for hybrid connections, Contributor. */
export const rolesOf = ({ publicJwk, principalId }: Identity): TokenIssuer => ({
  jwk: publicJwk,
  relay: { [principalId]: ["Send"] },
  management: [principalId],
});

/** The queues of doorbells, and the topic of events with a subscription for whoever wants to look. */
export const QUEUE_CONFIG: OfficialConfig = {
  UserConfig: {
    Namespaces: [
      {
        Name: "sallyport",
        Queues: ["slices", "deliveries"].map((Name) => ({
          Name,
          Properties: { LockDuration: "PT1M", MaxDeliveryCount: 10 },
        })),
        Topics: [
          {
            Name: "events",
            Properties: { RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: "PT1H" },
            Subscriptions: [{ Name: "all" }],
          },
        ],
      },
    ],
    Logging: { Type: "File" },
  },
};

export const tableClient = (connectionString: string, name: string): TableClient =>
  TableClient.fromConnectionString(connectionString, name, { allowInsecureConnection: true });

/** Makes the app's tables and its container, as a deployment would. */
export async function prepareStorage(connectionString: string): Promise<void> {
  await createTables((name) => tableClient(connectionString, name));
  await BlobServiceClient.fromConnectionString(connectionString).getContainerClient("sallyport").create();
}

export interface AppServices {
  /** A file with the authority that the app trusts. */
  readonly caFile: string;
  readonly adminKey: string;
  /** Connection strings. */
  readonly storage: string;
  readonly queue: string;
  /** Host and port of the relay: where the app dials agents, and where agents listen. */
  readonly dialAt: string;
  readonly listenAt: string;
  readonly listenKey: string;
}

/** As infra/app/function-app.bicep sets them: buffers are collected young and given back (docs/performance.md, "memory"). */
const MEMORY_SETTINGS = {
  NODE_OPTIONS: "--max-semi-space-size=4",
  MALLOC_ARENA_MAX: "2",
  MALLOC_MMAP_THRESHOLD_: "131072",
};

/** The settings that say where things are; those with keys are files only this account reads, below `folder`. */
export async function appSettings(folder: string, services: AppServices): Promise<Record<string, string>> {
  const { storage, queue, dialAt, listenAt, listenKey } = services;
  return {
    ...MEMORY_SETTINGS,
    NODE_EXTRA_CA_CERTS: services.caFile,
    ...(await writeSecrets(folder)),
    SALLYPORT_ADMIN_KEY_SHA256: createHash("sha256").update(services.adminKey).digest("hex"),
    SALLYPORT_TABLES: storage,
    SALLYPORT_BLOBS: storage,
    SALLYPORT_SERVICEBUS: queue,
    SALLYPORT_RELAY: dialAt,
    SALLYPORT_RELAY_LISTEN: `Endpoint=sb://${listenAt}/;SharedAccessKeyName=listen;SharedAccessKey=${listenKey}`,
    SALLYPORT_RELAY_RESOURCE: `https://${listenAt}/subscriptions/${randomUUID()}/resourceGroups/demo/providers/Microsoft.Relay/namespaces/demo`,
  };
}

/** The orchestrator's signing key and secret store. */
async function writeSecrets(folder: string): Promise<Record<string, string>> {
  const secrets = join(folder, "orchestrator");
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const { privateJwk } = await generateKeyPair("ES256");
  writeFileSync(join(secrets, "signing-key.json"), JSON.stringify(privateJwk), { mode: 0o600 });
  writeFileSync(join(secrets, "secrets.key"), randomBytes(32).toString("base64"), { mode: 0o600 });
  return {
    SALLYPORT_SIGNING_KEY: join(secrets, "signing-key.json"),
    SALLYPORT_SECRETS: join(secrets, "secrets.json"),
    SALLYPORT_SECRETS_KEY: join(secrets, "secrets.key"),
  };
}
