/**
 * Copies the model's rows for any number of pulls, into the file of an Azurite that does not run. In a thread of its own: the
 * file has hundreds of megabytes, and what is left of them would be collected while a tick is measured.
 */
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { pullPartition, wakePartition } from "@sallyport/cloud/src/store/ids.ts";
import { z } from "zod";
import { openTables } from "./azurite-file.ts";
import { MODEL, pullOf, wakeRow } from "./pulls.ts";

const order = z.strictObject({ folder: z.string(), count: z.int().min(0), dueMs: z.number() });

/** Adds pulls 1 to `count`, due at `dueMs`, as the API would have written them. */
export async function fill(work: z.infer<typeof order>): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: work });
  const [code] = (await once(worker, "exit")) as [number];
  if (code !== 0) throw new Error(`the thread that fills the store ended with ${code}`);
}

function carryOut({ folder, count, dueMs }: z.infer<typeof order>): void {
  const nextDue = new Date(dueMs).toISOString();
  const tables = openTables(folder);
  const [runs, wake] = [tables.table("runs"), tables.table("wake")];
  const model = runs.entities.filter(({ PartitionKey }) => PartitionKey === pullPartition(MODEL.tenant, MODEL.pull));
  for (let number = 1; number <= count; number++) {
    const key = pullOf(number);
    for (const row of model) {
      const own = "nextDue" in row.properties ? { ...row.properties, nextDue } : row.properties;
      runs.add(row, pullPartition(key.tenant, key.pull), row.RowKey, own);
    }
    const { Timestamp, "Timestamp@odata.type": type } = model[0]!.properties;
    const time = { Timestamp, "Timestamp@odata.type": type };
    wake.add(model[0]!, wakePartition(key.tenant, key.pull), wakeRow(nextDue, key), time);
  }
  tables.save();
}

if (!isMainThread) carryOut(order.parse(workerData));
