/** How far one sweep goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SweepDeps, sweepBoth, sweepExpired } from "./sweep.ts";
import { blobs } from "./test-rig.ts";

/** So many rows, of which as many are found at once as are asked for; each look takes a minute. */
function tableOf(rows: number, passed: () => void) {
  let left = rows;
  return {
    left: () => left,
    store: {
      expired: async (_before: string, most: number) => {
        passed();
        return Array.from({ length: Math.min(left, most) }, () => ({ row: { partition: "acme", row: "none" } }));
      },
      remove: async () => {
        left -= 1;
        return true;
      },
    },
  };
}

function swept(jtis: number, repeats: number) {
  let nowMs = 0;
  const pass = () => {
    nowMs += 60_000;
  };
  const tables = { jtis: tableOf(jtis, pass), repeats: tableOf(repeats, pass), requests: tableOf(0, pass) };
  const store = Object.fromEntries(Object.entries(tables).map(([name, { store }]) => [name, store]));
  const deps = { store, blobs, now: () => new Date(nowMs) } as unknown as SweepDeps;
  return { deps, left: () => [tables.jtis.left(), tables.repeats.left()] };
}

test("a sweep goes on until nothing is left", async () => {
  const { deps, left } = swept(12_000, 5_000);
  assert.equal(await sweepExpired(deps, 3_600_000), 17_000);
  assert.deepEqual(left(), [0, 0]);
});

test("a sweep ends with its time, and each table has had one pass", async () => {
  const { deps, left } = swept(100_000, 6_000);
  assert.equal(await sweepExpired(deps, 5 * 60_000), 30_000);
  assert.deepEqual(left(), [75_000, 1_000]);
});

test("what cannot be deleted does not keep a sweep", async () => {
  const { deps } = swept(5_000, 0);
  const stuck = { ...deps, store: { ...deps.store, jtis: { ...deps.store.jtis, remove: async () => false } } };
  assert.equal(await sweepExpired(stuck as SweepDeps, 3_600_000), 0);
});

test("what has expired goes also where no agent can be retired, and that is told", async () => {
  let rows = 0;
  const expire = async () => {
    rows += 7;
    return 7;
  };
  await assert.rejects(
    sweepBoth(() => Promise.reject(new Error("no registry")), expire),
    /no registry/,
  );
  assert.equal(rows, 7);
  assert.deepEqual(await sweepBoth(async () => 2, expire), { agents: 2, rows: 7 });
});
