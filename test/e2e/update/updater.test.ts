/** The updater on a machine of its own: what it applies, what it takes back, and what it does not begin. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readRecord } from "@sallyport/agent/src/update/record.ts";
import { type Machine, settled, startMachine } from "./machine.ts";

let machine: Machine;
beforeEach(async () => {
  machine = await startMachine();
});
afterEach(() => machine.close());

describe("an update", () => {
  it("lets the old version drain, starts the new one, keeps the old one, and is done once", async () => {
    await machine.stage("1.1.0");
    machine.wish("1.1.0");
    const last = await machine.update();
    assert.ok(last !== null && last !== "killed");
    assert.deepEqual([last.outcome, last.version, last.from, last.why], ["applied", "1.1.0", "1.0.0", null]);
    assert.deepEqual([machine.installed(), machine.running()], ["1.1.0", "1.1.0"]);
    assert.deepEqual(machine.told(), [
      "1.0.0 started",
      "1.0.0 drained",
      "1.1.0 started",
      "asked to stop",
      "asked to start",
    ]);
    assert.deepEqual(readdirSync(machine.layout.versions).sort(), ["1.0.0", "1.1.0"]);
    assert.ok(settled(machine));
    assert.equal(await machine.update(), null);
    assert.equal(readRecord(machine.places).previous, "1.0.0");
  });

  it("keeps what ran before, and drops what ran before that", async () => {
    for (const version of ["1.1.0", "1.2.0"]) {
      await machine.stage(version);
      machine.wish(version);
      await machine.update();
    }
    assert.equal(machine.running(), "1.2.0");
    assert.deepEqual(readdirSync(machine.layout.versions).sort(), ["1.1.0", "1.2.0"]);
  });

  it("goes back only by the command that says so", async () => {
    await machine.stage("0.9.0");
    machine.wish("0.9.0");
    const refused = await machine.update();
    assert.ok(refused !== null && refused !== "killed");
    assert.equal(refused.outcome, "refused");
    assert.match(refused.why ?? "", /older than what runs/);
    machine.wish("0.9.0", true);
    const done = await machine.update();
    assert.ok(done !== null && done !== "killed");
    assert.equal(done.outcome, "applied");
    assert.equal(machine.running(), "0.9.0");
  });
});

describe("a version that does not work is taken back", () => {
  for (const [behaviour, why] of [
    ["deaf", /no canary has arrived/],
    ["offline", /its control channel is down/],
    ["ends", /it did not start|it wrote no status/],
  ] as const)
    it(`one that ${behaviour === "ends" ? "ends" : `is ${behaviour}`}: the version before runs again, and this one is not tried again unasked`, async () => {
      await machine.close();
      machine = await startMachine(3000);
      machine.setOwnersFiles("{}", "window");
      await machine.stage("1.1.0", behaviour);
      machine.wish("1.1.0");
      const last = await machine.update();
      assert.ok(last !== null && last !== "killed");
      assert.equal(last.outcome, "rolledBack");
      assert.match(last.why ?? "", why);
      assert.deepEqual([machine.installed(), machine.running()], ["1.0.0", "1.0.0"]);
      assert.deepEqual(readRecord(machine.places).failed, ["1.1.0"]);
      assert.deepEqual(readdirSync(machine.layout.versions), ["1.0.0"]);
      writeFileSync(machine.places.ready, "");
      const again = await machine.update();
      assert.ok(again !== null && again !== "killed");
      assert.deepEqual([again.outcome, machine.running()], ["refused", "1.0.0"]);
      assert.match(again.why ?? "", /never became healthy/);
    });
});

describe("unattended", () => {
  const attempt = async (): Promise<string> => {
    await machine.stage("1.1.0");
    writeFileSync(machine.places.ready, "1.1.0\n");
    const last = await machine.update();
    assert.ok(last !== null && last !== "killed");
    return `${last.outcome}${last.why === null ? "" : `: ${last.why}`}`;
  };

  it("only where the owner's policy says window, and in their hours", async () => {
    for (const mode of ["manual", "notify"]) {
      machine.setOwnersFiles("{}", mode);
      assert.match(await attempt(), /^refused: policy.yaml does not say/);
    }
    const now = new Date();
    const hour = (more: number): string => String((now.getUTCHours() + more) % 24).padStart(2, "0");
    machine.setOwnersFiles(`{ hours: { allow: ["${hour(2)}:00-${hour(4)}:00"] } }`, "window");
    assert.match(await attempt(), /^refused: it is outside of the owner's hours/);
    assert.equal(machine.running(), "1.0.0");
    machine.setOwnersFiles(`{ hours: { allow: ["${hour(23)}:00-${hour(3)}:00"] } }`, "window");
    assert.equal(await attempt(), "applied");
    assert.equal(machine.running(), "1.1.0");
  });

  it("not by files that others than administrators can write", async () => {
    machine.setOwnersFiles("{}", "window");
    const { chmodSync } = await import("node:fs");
    chmodSync(machine.places.policy, 0o664);
    assert.match(await attempt(), /^refused: policy.yaml does not say/);
    chmodSync(machine.places.policy, 0o644);
    assert.equal(await attempt(), "applied");
  });

  it("without a command, and with nothing handed over, it does nothing at all", async () => {
    machine.setOwnersFiles("{}", "window");
    await machine.stage("1.1.0");
    assert.equal(await machine.update(), null);
    assert.deepEqual(machine.told(), ["1.0.0 started"]);
    assert.equal(readFileSync(machine.places.stagedManifest, "utf8").includes("1.1.0"), true);
  });
});
