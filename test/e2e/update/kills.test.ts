/**
 * The updater killed at each of its steps, and the machine with it or not: afterwards an agent runs, and the next run of the updater
 * brings the update to its end, as if nothing had happened.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { readRecord } from "@sallyport/agent/src/update/record.ts";
import { type Behaviour, type Machine, settled, startMachine } from "./machine.ts";
import { STEPS } from "./steps.ts";

let machine: Machine;
let number = 0;
before(async () => {
  machine = await startMachine(2000);
});
after(() => machine.close());

/** A next version, asked for by the owner. */
async function prepare(behaviour: Behaviour): Promise<{ readonly from: string; readonly to: string }> {
  number += 1;
  const from = machine.installed() ?? "";
  const to = `2.${number}.0`;
  await machine.stage(to, behaviour);
  machine.wish(to);
  return { from, to };
}

function requireClean(version: string): void {
  assert.deepEqual([machine.installed(), machine.running()], [version, version]);
  assert.ok(settled(machine));
  for (const left of [machine.places.wish, machine.places.incoming, machine.places.reserve])
    assert.ok(!existsSync(left), left);
  assert.deepEqual(
    readdirSync(machine.layout.versions).filter((name) => name.startsWith(".")),
    [],
  );
}

for (const [what, happens] of [
  ["the updater is killed", async () => {}],
  ["the machine loses its power", () => machine.reboot()],
] as const)
  describe(what, () => {
    for (const step of STEPS)
      it(`at "${step}": the next run ends the update`, async () => {
        const { from, to } = await prepare("works");
        assert.equal(await machine.update(step), "killed");
        await happens();
        const hasBegun = ["stopped", "repointed"].includes(step) && what === "the updater is killed";
        // Between stop and start nothing runs; a service manager starts at boot what `current` names.
        if (!hasBegun) assert.ok([from, to].includes(machine.running() ?? ""), `${machine.running()} runs`);
        const last = await machine.update();
        // Killed at its very end, there is only nothing left to do.
        if (last !== null)
          assert.deepEqual(
            [(last as { outcome: string }).outcome, (last as { version: string }).version],
            ["applied", to],
          );
        assert.equal(readRecord(machine.places).last?.version, to);
        requireClean(to);
      });

    for (const step of ["started", "reverting", "ended"] as const)
      it(`at "${step}" of a version that does not work: the next run goes back`, async () => {
        const { from, to } = await prepare("deaf");
        assert.equal(await machine.update(step), "killed");
        await happens();
        await machine.update();
        const { last } = readRecord(machine.places);
        assert.deepEqual([last?.outcome, last?.version], ["rolledBack", to]);
        requireClean(from);
      });
  });

it("a version under which the machine dies again and again is taken back without another try", async () => {
  const { from, to } = await prepare("works");
  for (let times = 0; times < 2; times += 1) {
    assert.equal(await machine.update("started"), "killed");
    await machine.reboot();
  }
  const before = machine.told().filter((line) => line === `${to} started`).length;
  const last = await machine.update();
  assert.ok(last !== null && last !== "killed");
  assert.deepEqual([last.outcome, last.why], ["rolledBack", "it was interrupted each time it was started"]);
  assert.equal(machine.told().filter((line) => line === `${to} started`).length, before);
  requireClean(from);
});
