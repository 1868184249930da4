import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { move } from "./state.ts";

/** A file that somebody has open for the first so many tries. */
function held(tries: number, code = "EPERM") {
  let waited = 0;
  const rename = (): void => {
    if (tries-- > 0) throw Object.assign(new Error(code), { code });
  };
  const wait = (ms: number): void => {
    waited += ms;
  };
  return { rename, wait, waited: () => waited };
}

describe("a file that takes another's place", () => {
  it("waits on Windows for whoever has it open, and not for ever", () => {
    const soon = held(3, "EBUSY");
    move("a", "b", 1_000, { isWindows: true, ...soon });
    assert.equal(soon.waited(), 75);
    const never = held(Number.POSITIVE_INFINITY);
    assert.throws(() => move("a", "b", 1_000, { isWindows: true, ...never }), /EPERM/);
    assert.equal(never.waited(), 1_000);
  });

  it("fails at once for any other reason, and anywhere else", () => {
    for (const [isWindows, code] of [
      [true, "ENOSPC"],
      [false, "EPERM"],
    ] as const) {
      const system = held(1, code);
      assert.throws(() => move("a", "b", 1_000, { isWindows, ...system }), new RegExp(code));
      assert.equal(system.waited(), 0);
    }
  });
});
