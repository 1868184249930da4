/** The updater where a service's command names the version, as on Windows: the same updates, kept by a control manager of the test's. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SERVICE, UPDATE_SERVICE } from "@sallyport/agent/src/install/windows/layout.ts";
import { readRecord } from "@sallyport/agent/src/update/record.ts";
import { type Machine, settled, startMachine } from "./machine.ts";
import { registered } from "./registered.ts";
import { STEPS } from "./steps.ts";

let machine: Machine;
beforeEach(async () => {
  machine = await startMachine(3000, "services");
});
afterEach(() => machine.close());

const service = (name: string) => registered(machine.root).readConfiguration(name) ?? assert.fail(name);

/** Both services are of this version, with the arguments that they were made with, and the updater waits to be asked. */
function requireServices(version: string, updater = version): void {
  const program = (of: string): string => `"${join(machine.layout.versions, of, "sallyport.exe")}"`;
  assert.equal(service(SERVICE).command, `${program(version)} service host --insecure-files`);
  assert.equal(service(UPDATE_SERVICE).command, `${program(updater)} service update-host`);
  assert.deepEqual([service(SERVICE).startsWithMachine, service(UPDATE_SERVICE).startsWithMachine], [true, false]);
  assert.equal(machine.running(), version);
  assert.ok(settled(machine));
}

describe("an update on Windows", () => {
  it("gives both services the new version's program; what the installer brought stays, what an update brought goes", async () => {
    // Only archives have it in them.
    rmSync(join(machine.layout.versions, "1.0.0", "release.json"));
    for (const version of ["1.1.0", "1.2.0", "1.3.0"]) {
      await machine.stage(version);
      machine.wish(version);
      const last = await machine.update();
      assert.ok(last !== null && last !== "killed");
      assert.deepEqual([last.outcome, last.why], ["applied", null]);
      requireServices(version);
    }
    assert.deepEqual(readdirSync(machine.layout.versions).sort(), ["1.0.0", "1.2.0", "1.3.0"]);
  });

  it("that does not work is taken back, and the updater stays the one that was healthy", async () => {
    await machine.stage("1.1.0", "deaf");
    machine.wish("1.1.0");
    const last = await machine.update();
    assert.ok(last !== null && last !== "killed");
    assert.deepEqual([last.outcome, last.why], ["rolledBack", "no canary has arrived"]);
    requireServices("1.0.0");
    assert.deepEqual(readRecord(machine.places).failed, ["1.1.0"]);
    assert.deepEqual(readdirSync(machine.layout.versions), ["1.0.0"]);
  });

  it("is nobody's by files that others than administrators can write", async () => {
    machine.setOwnersFiles("{}", "window");
    await machine.stage("1.1.0");
    chmodSync(machine.places.policy, 0o664);
    writeFileSync(machine.places.ready, "1.1.0\n");
    const refused = await machine.update();
    assert.ok(refused !== null && refused !== "killed");
    assert.match(refused.why ?? "", /policy.yaml does not say/);
    requireServices("1.0.0");
    chmodSync(machine.places.policy, 0o644);
    writeFileSync(machine.places.ready, "1.1.0\n");
    await machine.update();
    requireServices("1.1.0");
  });
});

describe("the updater is killed on Windows, and the machine starts anew", () => {
  for (const step of STEPS)
    it(`at "${step}": it starts with the machine where it has begun to change it, and ends the update`, async () => {
      await machine.stage("1.1.0");
      machine.wish("1.1.0");
      assert.equal(await machine.update(step), "killed");
      const isUnderWay = readRecord(machine.places).under !== null;
      if (isUnderWay) assert.equal(service(UPDATE_SERVICE).startsWithMachine, true);
      await machine.reboot();
      assert.ok(["1.0.0", "1.1.0"].includes(machine.running() ?? ""), `${machine.running()} runs`);
      const last = await machine.update();
      if (last !== null) assert.equal((last as { outcome: string }).outcome, "applied");
      assert.equal(readRecord(machine.places).last?.version, "1.1.0");
      requireServices("1.1.0");
      for (const left of [machine.places.wish, machine.places.incoming]) assert.ok(!existsSync(left), left);
    });

  for (const step of ["started", "reverting", "ended"] as const)
    it(`at "${step}" of a version that does not work: it goes back`, async () => {
      await machine.stage("1.1.0", "deaf");
      machine.wish("1.1.0");
      assert.equal(await machine.update(step), "killed");
      await machine.reboot();
      await machine.update();
      assert.equal(readRecord(machine.places).last?.outcome, "rolledBack");
      requireServices("1.0.0");
    });
});
