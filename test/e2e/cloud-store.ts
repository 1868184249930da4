/** The orchestrator's tables on a real Azurite, and a secret file, for the tests of one file; gone with it. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { TableClient } from "@azure/data-tables";
import { localSecrets } from "@sallyport/cloud/src/secrets/local.ts";
import type { SecretStore } from "@sallyport/cloud/src/secrets/secrets.ts";
import { type ConnectTable, createTables, openStore, type Store } from "@sallyport/cloud/src/store/open.ts";
import { startAzurite } from "../emulators/azurite/start.ts";

export interface CloudStore {
  readonly store: Store;
  readonly secrets: SecretStore;
  readonly connect: ConnectTable;
  /** The clock of everything that is built over it; a test may move it. */
  readonly clock: { nowMs: number };
  now(): Date;
  random(bytes: number): Buffer;
}

/** To be awaited at the top of a test file. */
export async function openCloudStore(): Promise<CloudStore> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-cloud-"));
  const azurite = await startAzurite({ folder });
  after(async () => {
    await azurite.close();
    await rm(folder, { recursive: true, force: true });
  });
  const connect: ConnectTable = (name) =>
    TableClient.fromConnectionString(azurite.connectionString, name, { allowInsecureConnection: true });
  await createTables(connect);
  const clock = { nowMs: Date.parse("2026-01-01T00:00:00Z") };
  return {
    store: openStore(connect, randomBytes),
    secrets: localSecrets(join(folder, "secrets.json"), randomBytes(32), randomBytes),
    connect,
    clock,
    now: () => new Date(clock.nowMs),
    random: (bytes) => randomBytes(bytes),
  };
}
