/** The running stack with a hand on each of its places: SQL Server, relay, queue and storage can be made to fail. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { createTables } from "@sallyport/cloud/src/store/open.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { startAzurite } from "../../emulators/azurite/start.ts";
import { type ServiceBus, startServiceBus } from "../../emulators/servicebus/start.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { type Certificate, makeAuthority } from "../../emulators/tls/certificates.ts";
import type { Cleanup } from "../../stack/cleanup.ts";
import { SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { openStorageDoor, type StorageDoor } from "./storage-door.ts";

export const LOGIN = "svc_faults";
/** Rows of `dbo.Numbered`, with Ids from 1: enough for some twenty frames. */
export const ROWS = 6_000;
/** Rows of `dbo.Few`. */
export const FEW = 40;
/** The one connection whose login may fail again and again. */
export const CONNECTION = "numbers";

export interface Rig {
  readonly folder: string;
  readonly stack: Stack;
  readonly tds: Tds;
  readonly bus: ServiceBus;
  readonly storage: StorageDoor;
  /** Of an authority that the policy does not know. */
  readonly foreign: Certificate;
  /** What stands in each row, and must stand in no journal. */
  readonly mark: string;
  readonly password: string;
  /** The agent's hybrid connection. */
  readonly path: string;
  definePull(id: string, operation: object, more?: object): Promise<void>;
  start(pull: string): Promise<RunView>;
}

/** Short pauses and slices, so that a run has several of both. */
const SETTINGS = {
  SALLYPORT_BACKOFF_SECONDS: "0.6",
  SALLYPORT_WAIT_SECONDS: "0.6",
  SALLYPORT_SLICE_SECONDS: "0.1",
} as const;

export async function startRig(cleanup: Cleanup): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-faults-"));
  cleanup.add(folder, (it) => rmSync(it, { recursive: true, force: true }));
  const [authority, stranger] = await Promise.all([makeAuthority(), makeAuthority()]);
  const subject = { names: ["localhost"], addresses: ["127.0.0.1"] };
  const caFile = join(folder, "sql-ca.pem");
  writeFileSync(caFile, authority.caPem);
  const password = `pw-${randomBytes(18).toString("base64url")}`;
  const mark = `row-${randomBytes(18).toString("base64url")}`;
  const logins = [{ name: LOGIN, password, rights: "read" as const }];
  const databases = ["ERP"];
  const tls = await authority.issue(subject);
  const tds = cleanup.add(await startTds({ tls, logins, databases, directory: folder }), (it) => it.close());
  await fill(tds, mark);
  const bus = cleanup.add(await startQueue(), (it) => it.close());
  const storage = await startStorage(join(folder, "behind-the-door"), cleanup);
  const settings = {
    ...SETTINGS,
    SALLYPORT_SERVICEBUS: bus.connectionString,
    SALLYPORT_TABLES: storage.connectionString,
    SALLYPORT_BLOBS: storage.connectionString,
  };
  const policy = () => policyOf(tds.port, caFile);
  const stack = await startStack({ folder, cleanup, settings, policy });
  const { api } = stack;
  await api.post(`/tenants/${TENANT}/connections`, { id: CONNECTION, site: SITE, kind: "mssql" });
  await api.put(`/tenants/${TENANT}/connections/${CONNECTION}/credential`, { user: LOGIN, password });
  return {
    folder,
    stack,
    tds,
    bus,
    storage,
    foreign: await stranger.issue(subject),
    mark,
    password,
    path: `a-${stack.agent.id}`,
    async definePull(id, operation, more = {}) {
      const definition = {
        connection: CONNECTION,
        operation: { op: "sql.table", columns: "*", ...operation },
        ...more,
      };
      await api.post(`/tenants/${TENANT}/pulls`, { id, definition });
    },
    start: (pull) => api.post<RunView>(`/tenants/${TENANT}/pulls/${pull}/runs`, {}),
  };
}

async function fill(tds: Tds, mark: string): Promise<void> {
  for (const [table, rows] of Object.entries({ "dbo.Numbered": ROWS, "dbo.Few": FEW })) {
    await tds.sql(`CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, Note nvarchar(max) NOT NULL)`);
    for (let start = 1; start <= rows; start += 1000) {
      const values = Array.from(
        { length: Math.min(1000, rows - start + 1) },
        // Random, so that it cannot be compressed away.
        (_, index) => `(${start + index}, N'${mark} ${randomBytes(300).toString("base64")}')`,
      );
      await tds.sql(`INSERT INTO ${table} (Id, Note) VALUES ${values.join(", ")}`);
    }
  }
}

/** A storage of its own, because the stack's is spoken to before anything could stand between. */
async function startStorage(folder: string, cleanup: Cleanup): Promise<StorageDoor> {
  const azurite = cleanup.add(await startAzurite({ folder }), (it) => it.close());
  const { connectionString } = azurite;
  const insecure = { allowInsecureConnection: true };
  await createTables((name) => TableClient.fromConnectionString(connectionString, name, insecure));
  await BlobServiceClient.fromConnectionString(connectionString).getContainerClient("sallyport").create();
  return cleanup.add(await openStorageDoor(azurite), (it) => it.close());
}

const startQueue = (): Promise<ServiceBus> => {
  const queues = ["slices", "deliveries"].map((Name) => ({
    Name,
    Properties: { LockDuration: "PT1M", MaxDeliveryCount: 3 },
  }));
  const namespace = { Name: "sallyport", Queues: queues, Topics: [{ Name: "events" }] };
  const config = { UserConfig: { Namespaces: [namespace], Logging: { Type: "File" as const } } };
  return startServiceBus({ config, keys: [{ name: "app", key: randomBytes(32).toString("base64") }] });
};

const policyOf = (port: number, caFile: string): string => `v: 1
limits: { sessionsPerMinute: 600 }
connections:
  ${CONNECTION}:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${LOGIN}]
    limits: { sessions: 8, failedLogins: 100/1h }
    rules:
      - { id: tables, allow: [table], tables: [dbo.Numbered, dbo.Few, dbo.Gone], columns: "*" }
`;
