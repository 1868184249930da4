import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttributeType } from "../attribute-types.ts";
import { bytesOf, sameValues, withSwitches } from "./values.ts";

const type = (syntax: string, isSingle = true): AttributeType => ({
  ...{ name: "x", oid: "1.2.3", syntax, isSingle, isConstructed: false },
});

test("each syntax takes its own values and no others", () => {
  const cases: readonly (readonly [syntax: string, good: readonly string[], bad: readonly string[]])[] = [
    ["2.5.5.1", ["CN=Kari,DC=corp"], ["Kari", ""]],
    ["2.5.5.8", ["TRUE", "FALSE"], ["true", "1"]],
    ["2.5.5.9", ["0", "-1", "2147483647"], ["2147483648", "abc", "1.5", "0x2"]],
    ["2.5.5.10", ["AAEC_-"], ["+/==", " "]],
    ["2.5.5.11", ["20261122113000.0Z"], ["tomorrow"]],
    ["2.5.5.12", ["æøå"], [""]],
    ["2.5.5.16", ["9223372036854775807"], ["9223372036854775808", "x"]],
  ];
  for (const [syntax, good, bad] of cases) {
    for (const value of good) assert.equal(bytesOf(type(syntax), [value]).length, 1, `${syntax} ${value}`);
    for (const value of bad) {
      assert.throws(() => bytesOf(type(syntax), [value]), { code: "request.invalid" }, `${syntax} ${value}`);
    }
  }
  assert.throws(() => bytesOf(type("2.5.5.12"), ["a", "b"]), { code: "request.invalid" });
  assert.deepEqual(bytesOf(type("2.5.5.12", false), ["a", "b"]), [Buffer.from("a"), Buffer.from("b")]);
  assert.deepEqual(bytesOf(type("2.5.5.10"), ["AAEC"]), [Buffer.of(0, 1, 2)]);
});

test("of userAccountControl only two bits are changed", () => {
  assert.equal(withSwitches(0x10200, 0x202), 0x10202);
  assert.equal(withSwitches(0x10202, 0x200), 0x10200);
  assert.equal(withSwitches(0x200, 0x80000 | 0x202), 0x202);
});

test("values are the same in any order, and not when one is missing", () => {
  const [a, b] = [Buffer.from("a"), Buffer.from("b")];
  assert.ok(sameValues([a, b], [b, a]) && sameValues([], []));
  assert.ok(!sameValues([a], [a, b]) && !sameValues([a, b], [a, Buffer.from("B")]));
});
