import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unusedExports } from "./exports.ts";
import { readSources } from "./source.ts";

describe("what is exported is used by another file", () => {
  it("in this repository", () => assert.deepEqual(unusedExports(readSources()), []));
  const product = {
    path: "cloud/src/a.ts",
    text: "export const FEW = 3;\nexport async function grow() { return FEW; }",
  };
  it("a value that only its own file uses is seen, and one that nobody does", () =>
    assert.deepEqual(unusedExports([product]), [
      "cloud/src/a.ts exports FEW, which no other file uses",
      "cloud/src/a.ts exports grow, which no other file uses",
    ]));
  it("a test counts as another file, a comment and a text do not", () => {
    const text = 'import { grow } from "./a.ts"; // FEW\nconst said = "FEW";';
    assert.deepEqual(unusedExports([product, { path: "cloud/src/a.test.ts", text }]), [
      "cloud/src/a.ts exports FEW, which no other file uses",
    ]);
  });
  it("classes and generators are seen, types and what tests export are not", () => {
    const found = unusedExports([
      {
        path: "agent/src/a.ts",
        text: "export class Odd {}\nexport function* each() {}\nexport type T = 1;\nconst OWN = 1;",
      },
      { path: "agent/src/test-rig.ts", text: "export const RIG = 1;" },
      { path: "test/stack/a.ts", text: "export const STACK = 1;" },
    ]);
    assert.deepEqual(found, [
      "agent/src/a.ts exports Odd, which no other file uses",
      "agent/src/a.ts exports each, which no other file uses",
    ]);
  });
});
