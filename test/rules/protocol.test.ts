import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { protocolFaults, readRules } from "./protocol.ts";
import { readSources } from "./source.ts";

const page = readRules();
const sources = readSources();

describe("the rules of docs/protocol.md", () => {
  it("each have a test, and each number in a test's name is a rule's", () => {
    assert.deepEqual(protocolFaults(page, sources), []);
  });
  it("counter-example: a rule without a test, one that stands there twice, and a number that is no rule are seen", () => {
    const row = /^\| P4\.15 \|.*\n/m.exec(page)![0];
    assert.deepEqual(protocolFaults(`${page}| P4.99 | new |\n`, sources), ["P4.99 has no test"]);
    assert.deepEqual(protocolFaults(`${page}${row}`, sources), ["P4.15 stands there twice"]);
    assert.deepEqual(protocolFaults(page.replace(row, ""), sources), ["P4.15 is no rule"]);
  });
  it("counter-example: a test that was renamed is seen", () => {
    const named = { "P4.25": [["test/e2e/agent/read.test.ts", "no such test"]] as const };
    const faults = protocolFaults("| P4.25 | x |\n", [], named);
    assert.deepEqual(faults, ['test/e2e/agent/read.test.ts has no test "no such test"']);
  });
});
