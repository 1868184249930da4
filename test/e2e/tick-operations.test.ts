/** What a tick asks of the storage follows the pulls that are due, not those that are defined. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Fleet, startFleet, type Ticked } from "../bench/tick/fleet.ts";
import { total } from "../bench/tick/operations.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-fleet-"));
const fleets: Record<"few" | "many", Fleet | undefined> = { few: undefined, many: undefined };
before(async () => {
  fleets.few = await startFleet(join(folder, "few"), 190);
  fleets.many = await startFleet(join(folder, "many"), 1_990);
});
after(async () => {
  await fleets.few?.close();
  await fleets.many?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function tickOf(which: "few" | "many", due: number): Promise<Ticked> {
  const fleet = fleets[which]!;
  await fleet.addDue(due);
  const ticked = await fleet.tick();
  assert.deepEqual(ticked.report, { entries: due, pulls: due, failed: 0 });
  return ticked;
}

test("10 due of 200 pulls and 10 due of 2,000 cost the same operations, kind by kind", async () => {
  const few = await tickOf("few", 10);
  const many = await tickOf("many", 10);
  assert.deepEqual(many.operations, few.operations);
  assert.ok(few.rung > 0);
});

test("twice as many due cost at most twice the operations of what is due; none due costs 16 queries", async () => {
  const none = await tickOf("many", 0);
  assert.deepEqual(none.operations, { query: 16, read: 0, transaction: 0, delete: 0, blob: 0, other: 0 });
  const ten = total((await tickOf("many", 10)).operations) - total(none.operations);
  const twenty = total((await tickOf("many", 20)).operations) - total(none.operations);
  assert.ok(twenty > ten && twenty <= 2.1 * ten, `${ten} operations for 10, ${twenty} for 20`);
});
