/** What has had its time: used token ids, kept answers, and requests with their results. */
import type { ContainerClient } from "@azure/storage-blob";
import type { Store } from "../store/open.ts";

export interface SweepDeps {
  readonly store: Pick<Store, "jtis" | "repeats" | "requests">;
  readonly blobs: ContainerClient;
  now(): Date;
}

/** Rows that are read before they are deleted. */
const MOST_ROWS = 5_000;
const AT_ONCE = 16;

/**
 * Deletes until nothing is left, or `mostMs` have passed: each table has one pass at least, and what is left waits for the
 * next time, as does what somebody changed meanwhile. Answers how many rows are gone.
 */
export async function sweepExpired({ store, blobs, now }: SweepDeps, mostMs: number): Promise<number> {
  const from = now();
  const before = from.toISOString();
  let gone = 0;
  const each = async <T>(
    find: (before: string, most: number) => Promise<readonly T[]>,
    drop: (row: T) => Promise<boolean>,
  ): Promise<void> => {
    for (;;) {
      const rows = await find(before, MOST_ROWS);
      const goneBefore = gone;
      const next = rows.values();
      const worker = async (): Promise<void> => {
        for (const row of next) if (await drop(row)) gone += 1;
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      if (rows.length < MOST_ROWS || gone === goneBefore || now().getTime() - from.getTime() >= mostMs) return;
    }
  };
  await each(store.jtis.expired, (row) => store.jtis.remove(row));
  await each(store.repeats.expired, (row) => store.repeats.remove(row));
  // Its blobs first: a row that is gone would leave them for ever.
  await each(store.requests.expired, async (row) => {
    const { partition: tenant, row: id } = row.row;
    for await (const { name } of blobs.listBlobsFlat({ prefix: `${tenant}/requests/${id}/` })) {
      await blobs.getBlobClient(name).deleteIfExists();
    }
    return store.requests.remove(row);
  });
  return gone;
}

/** Both to their ends, whatever becomes of the other. @throws what the first of them threw */
export async function sweepBoth(
  retire: () => Promise<number>,
  expire: () => Promise<number>,
): Promise<{ agents: number; rows: number }> {
  const [agents, rows] = await Promise.allSettled([retire(), expire()]);
  if (agents.status === "rejected") throw agents.reason;
  if (rows.status === "rejected") throw rows.reason;
  return { agents: agents.value, rows: rows.value };
}
