/** What has had its time: used token ids, kept answers, and requests with their results. */
import type { ContainerClient } from "@azure/storage-blob";
import type { Store } from "../store/open.ts";

export interface SweepDeps {
  readonly store: Pick<Store, "jtis" | "repeats" | "requests">;
  readonly blobs: ContainerClient;
  now(): Date;
}

/** Rows of each table that one sweep deletes; what is left waits for the next. */
const MOST_ROWS = 5_000;
const AT_ONCE = 16;

/** Answers how many rows are gone. What somebody changed meanwhile stays for the next time. */
export async function sweepExpired({ store, blobs, now }: SweepDeps): Promise<number> {
  const before = now().toISOString();
  let gone = 0;
  const each = async <T>(rows: readonly T[], drop: (row: T) => Promise<boolean>): Promise<void> => {
    const next = rows.values();
    const worker = async (): Promise<void> => {
      for (const row of next) if (await drop(row)) gone += 1;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  };
  await each(await store.jtis.expired(before, MOST_ROWS), (row) => store.jtis.remove(row));
  await each(await store.repeats.expired(before, MOST_ROWS), (row) => store.repeats.remove(row));
  // Its blobs first: a row that is gone would leave them for ever.
  await each(await store.requests.expired(before, MOST_ROWS), async (row) => {
    const { partition: tenant, row: id } = row.row;
    for await (const { name } of blobs.listBlobsFlat({ prefix: `${tenant}/requests/${id}/` })) {
      await blobs.getBlobClient(name).deleteIfExists();
    }
    return store.requests.remove(row);
  });
  return gone;
}
