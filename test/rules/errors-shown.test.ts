import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { shownCodes, unshownCodes } from "./errors-shown.ts";
import { readSources } from "./source.ts";

const CODES = new Set(Object.keys(ERRORS));

describe("each code of the error table is demanded by a named test", () => {
  it("in this repository", () => {
    const shown = shownCodes(readSources(), CODES);
    assert.deepEqual(
      unshownCodes(shown, CODES),
      [],
      "write a test that asserts it: `npx node test/rules/errors-shown.ts` lists what there is",
    );
  });

  const shownBy = (text: string, path = "cloud/src/a.test.ts") =>
    shownCodes([{ path, text }], new Set(["a.one"])).map(({ test }) => test);
  const demanding = [
    'it("name", () => assert.equal(run().code, "a.one"));',
    'test("name", async () => { await assert.rejects(run(), { code: "a.one" }); });',
    'it("name", () => { const seen = run(); assert.ok(!seen.ok && seen.code === "a.one"); });',
    'await check("name", () => assert.deepEqual([1, seen.code], [1, "a.one"]));',
    'it("name", () => assertFailed(stack, run, "a.one", /x/));',
    'const cases = { "name": { table: "x", code: "a.one" } };',
    'const cases = [{ name: "name", plant: reset(), ...passes("a.one") }];',
  ];
  for (const text of demanding) it(`by ${text}`, () => assert.deepEqual(shownBy(text), ["name"]));

  const mentioning = [
    'it("name", () => { /* a.one */ assert.equal(run(), 1); }); // "a.one"',
    'it("a.one", () => assert.equal(run().code, "a.two"));',
    'it("name", () => { fake.answers("a.one"); assert.equal(run(), 1); });',
    'it("name", () => { fake.send({ code: "a.one" }); });',
    'it("name", async () => { await assert.rejects(run({ code: "a.one" }), Error); });',
    'it("name", () => { const code = "a.one"; });',
    'assert.equal(run().code, "a.one");',
    'const table = { code: "a.one" };',
  ];
  for (const text of mentioning) it(`not by ${text}`, () => assert.deepEqual(shownBy(text), []));

  it("by cases in a file of their own, where a test loads them", () => {
    const cases = { path: "test/e2e/x/cases.ts", text: 'it("name", () => assert.equal(run(), "a.one"));' };
    const loads = { path: "test/e2e/x.test.ts", text: 'import { cases } from "./x/cases.ts";' };
    assert.equal(shownCodes([cases, loads], new Set(["a.one"])).length, 1);
    assert.deepEqual(shownCodes([cases], new Set(["a.one"])), []);
  });
  it("not by a product's file", () => {
    assert.deepEqual(shownBy(demanding[0]!, "cloud/src/a.ts"), []);
    const loads = { path: "cloud/src/b.test.ts", text: 'import "./a.ts";' };
    const product = { path: "cloud/src/a.ts", text: demanding[0]! };
    assert.deepEqual(shownCodes([loads, product], new Set(["a.one"])), []);
  });
  it("a code that nothing demands is told", () => {
    assert.deepEqual(unshownCodes([{ code: "a.one", path: "x", test: "y" }], ["a.one", "a.two"]), ["a.two"]);
  });
});
