import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compareVersions, version } from "./version.ts";

const some = fc
  .tuple(fc.nat(3), fc.nat(3), fc.nat(12), fc.constantFrom("", "-rc", "-rc.1", "-rc.2", "-rc.10", "-alpha.b", "-1"))
  .map(([a, b, c, rest]) => `${a}.${b}.${c}${rest}`);

describe("versions", () => {
  it("come in the order of semver.org, section 11", () => {
    const inOrder = [
      ...["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"],
      ...["1.0.0-rc.1", "1.0.0", "1.0.9", "1.0.10", "1.2.0", "2.0.0"],
    ];
    assert.deepEqual(inOrder.toReversed().sort(compareVersions), inOrder);
  });
  it("are in one order, whatever two are compared first", () => {
    fc.assert(
      fc.property(some, some, some, (a, b, c) => {
        assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
        assert.equal(compareVersions(a, b) === 0, a === b);
        if (compareVersions(a, b) < 0 && compareVersions(b, c) < 0) assert.ok(compareVersions(a, c) < 0);
      }),
    );
  });
  it("are nothing else: they name folders", () => {
    fc.assert(fc.property(some, (text) => version.safeParse(text).success));
    for (const text of [
      "1.2",
      "01.2.3",
      "1.2.3+b",
      "1.2.3-",
      "1.2.3-a..b",
      "../1.2.3",
      "1.2.3/x",
      "v1.2.3",
      "1.2.3-01",
    ])
      assert.equal(version.safeParse(text).success, false, text);
  });
});
