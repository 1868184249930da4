/** Any number of pulls of ten tenants in a storage account, a few of them due; and ticks over them, counted. */
import { randomBytes } from "node:crypto";
import { putPull } from "@sallyport/cloud/src/pulls/define.ts";
import { type PullDeps, systemClock } from "@sallyport/cloud/src/pulls/deps.ts";
import { DEFAULT_PULL_SETTINGS } from "@sallyport/cloud/src/pulls/settings.ts";
import { type TickReport, tick } from "@sallyport/cloud/src/pulls/tick.ts";
import { pullPartition, wakePartition } from "@sallyport/cloud/src/store/ids.ts";
import { createTables, openStore } from "@sallyport/cloud/src/store/open.ts";
import type { PullKey } from "@sallyport/cloud/src/store/runs.ts";
import { type Change, commit, type Row, range } from "@sallyport/cloud/src/store/tables.ts";
import { NO_TELEMETRY } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import { pullDefinition } from "@sallyport/shared/schema/pull.ts";
import { startAzurite } from "../../emulators/azurite/start.ts";
import { fill } from "./fill.ts";
import { countOperations, type Operations } from "./operations.ts";
import { MODEL, pullOf, TENANTS, tenantName, wakeRow } from "./pulls.ts";

const CONTAINER = "fleet";
/** How far ahead the pulls are that are not due. */
const IDLE_MS = 30 * 86_400_000;
/** How long ago the others were due; not so long that they count as missed. */
const OVERDUE_MS = 30_000;
const AT_ONCE = 32;

export interface Ticked {
  readonly report: TickReport;
  readonly operations: Operations;
  readonly rung: number;
  /** Of this process, without the storage. */
  readonly cpuMs: number;
}

export interface Fleet {
  /** More pulls, which were due half a minute ago. */
  addDue(count: number): Promise<void>;
  /** One tick of the scheduler, now. Afterwards nothing is due. */
  tick(): Promise<Ticked>;
  close(): Promise<void>;
}

/** An Azurite of its own with ten tenants and so many pulls, all due next month. @param folder for its data, empty */
export async function startFleet(folder: string, idle: number): Promise<Fleet> {
  const first = await startAzurite({ folder });
  try {
    await defineModel(first.connectionString);
  } finally {
    await first.close();
  }
  await fill({ folder, count: idle, dueMs: Date.now() + IDLE_MS });
  const azurite = await startAzurite({ folder });
  const fleet = await openFleet(azurite.connectionString, idle);
  return { ...fleet, close: () => azurite.close() };
}

async function openFleet(connectionString: string, idle: number): Promise<Omit<Fleet, "close">> {
  const counted = countOperations(connectionString, CONTAINER);
  let rung = 0;
  const deps = fleetDeps(counted, async () => {
    rung += 1;
  });
  const { runs, wake } = deps.store;
  const model = await rowsOf(deps, MODEL);
  let pulls = idle;
  return {
    async addDue(count) {
      const nextDue = new Date(Date.now() - OVERDUE_MS).toISOString();
      const keys = Array.from({ length: count }, () => {
        pulls += 1;
        return pullOf(pulls);
      });
      await each(keys, async (key) => {
        const changes = model.map(({ row, properties }): Change => {
          const own = "nextDue" in properties ? { ...properties, nextDue } : properties;
          return { do: "insert", row, properties: own as Change extends { properties: infer P } ? P : never };
        });
        await written(commit(runs.table, pullPartition(key.tenant, key.pull), changes));
        const entry: Change = { do: "insert", row: wakeRow(nextDue, key), properties: {} };
        await written(commit(wake.table, wakePartition(key.tenant, key.pull), [entry]));
      });
    },
    async tick() {
      counted.take();
      rung = 0;
      const before = process.cpuUsage();
      const report = await tick(deps, Date.now());
      const { user, system } = process.cpuUsage(before);
      const ticked = { report, operations: counted.take(), rung, cpuMs: (user + system) / 1000 };
      // Its runs are queued, and would be looked at again in a minute.
      await each(await wake.due(Date.now() + IDLE_MS / 2, Number.POSITIVE_INFINITY), (entry) => wake.remove(entry));
      return ticked;
    },
  };
}

function fleetDeps(counted: ReturnType<typeof countOperations>, ring: PullDeps["ring"]): PullDeps {
  const never = (): never => {
    throw new Error("a tick neither opens sessions nor writes parts");
  };
  return {
    store: openStore(counted.connectTable, randomBytes),
    blobs: counted.container,
    sinks: {
      arrow: { extension: "arrow", enter: never, open: never },
      parquet: { extension: "parquet", enter: never, open: never },
      ndjson: { extension: "ndjson", enter: never, open: never },
    },
    links: never,
    openSession: never,
    ring,
    tell: async () => {},
    tellFreshness: async () => {},
    clock: systemClock,
    random: randomBytes,
    settings: DEFAULT_PULL_SETTINGS,
    telemetry: NO_TELEMETRY,
    log: (what, facts) => {
      throw new Error(`${what}: ${JSON.stringify(facts)}`);
    },
  };
}

async function addConnection({ store }: PullDeps, tenant: string): Promise<void> {
  const createdAt = new Date().toISOString();
  const connection = { site: "plant", kind: "mssql" as const, createdAt };
  await store.connections.insert(tenant, "erp", { ...connection, credentialVersion: null, credentialAt: null });
}

/** Ten tenants, and one pull whose rows all others' are copies of. */
async function defineModel(connectionString: string): Promise<void> {
  const counted = countOperations(connectionString, CONTAINER);
  await createTables(counted.connectTable);
  await counted.container.create();
  const deps = fleetDeps(counted, async () => {});
  for (let tenant = 0; tenant < TENANTS; tenant++) await addConnection(deps, tenantName(tenant));
  await addConnection(deps, MODEL.tenant);
  const definition = pullDefinition.parse({
    connection: "erp",
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*" },
    watermark: "rowversion",
    sink: { type: "blob", format: "parquet" },
    schedule: { cron: "0 * * * *" },
  });
  await putPull(deps, MODEL, definition);
  const rows = await rowsOf(deps, MODEL);
  if (!rows.some(({ properties }) => "nextDue" in properties)) throw new Error("no row says when the pull is due");
  for (const entry of await deps.store.wake.due(Date.now() + IDLE_MS, 100)) await deps.store.wake.remove(entry);
}

const rowsOf = ({ store }: PullDeps, { tenant, pull }: PullKey): Promise<Row[]> =>
  Array.fromAsync(range(store.runs.table, pullPartition(tenant, pull), "", "~"));

async function written(change: ReturnType<typeof commit>): Promise<void> {
  const done = await change;
  if (!done.ok) throw new Error(`refused with ${done.refused}`);
}

/** A few at once, because each waits for its answer. */
async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await act(items[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
