import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { AMOUNTS, costOf, defaults, PRICES } from "../../docs/cost.ts";
import { ROOT } from "./source.ts";

const prices = defaults(PRICES);
const amounts = { ...defaults(AMOUNTS), sites: 1000, agents: 1 };
const script = join(ROOT, "docs/cost.ts");
const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });

describe("what an installation costs", () => {
  it("a thousand sites with an agent each pay 9,780 for listeners, with two twice that", () => {
    assert.equal(Math.round(costOf(amounts, prices)["relay: listeners"]!), 9780);
    assert.equal(Math.round(costOf({ ...amounts, agents: 2 }, prices)["relay: listeners"]!), 19560);
  });
  it("7.2 million runs of 20 seconds, eight in an instance, cost about 940 of functions", () => {
    const { functions } = costOf({ ...amounts, pulls: 5, every: 30, seconds: 20 }, prices);
    assert.ok(functions! > 900 && functions! < 980, `${functions}`);
  });
  it("what stays within the listeners' gigabytes costs nothing more, what goes beyond does", () => {
    assert.equal(costOf({ ...amounts, every: 60, megabytes: 0.3 }, prices)["relay: traffic"], 0);
    assert.ok(costOf({ ...amounts, every: 60, megabytes: 30 }, prices)["relay: traffic"]! > 90_000);
  });
  it("reads of storage cost more to log than all that is logged without them", () => {
    const busy = { ...amounts, pulls: 5, every: 30, seconds: 20 };
    const [without, with_] = [0, 1].map((reads) => costOf({ ...busy, "logged-reads": reads }, prices).logs!);
    assert.ok(with_! > 2 * without!, `${without} ${with_}`);
  });
  it("docs/cost.md shows what the script prints", () => {
    const page = readFileSync(join(ROOT, "docs/cost.md"), "utf8");
    const [, command, printed] = /\$ npx node docs\/cost\.ts (.*)\n([\s\S]*?)```/.exec(page)!;
    assert.equal(run(...command!.split(" ")).stdout, printed);
  });
  it("its options are explained, and a wrong one is refused", () => {
    assert.match(run("--help").stdout, /--listener +a connected listener/);
    assert.equal(run("--sites", "many").status, 64);
  });
});
