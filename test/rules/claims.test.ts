import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { claimFaults, readClaims } from "./claims.ts";

const page = readClaims();

describe("docs/security/claims.md", () => {
  it("has its claims, each with its limits and with tests that are there and run", () => {
    assert.deepEqual(claimFaults(page), []);
  });

  const faultOf = (from: string | RegExp, to: string): string[] => {
    const changed = page.replace(from, to);
    assert.notEqual(changed, page);
    return claimFaults(changed);
  };
  it("a test that is gone is seen, once for each place that names it", () => {
    const path = "cloud/src/pulls/model.test.ts";
    assert.deepEqual(
      claimFaults(page, (named) => named !== path),
      page
        .split(`\`${path}\``)
        .slice(1)
        .map(() => `${path} is not there`),
    );
  });
  it("a file that no runner picks up proves nothing", () => {
    assert.deepEqual(faultOf("`cloud/src/pulls/model.test.ts`", "`cloud/src/pulls/run.ts`"), [
      "cloud/src/pulls/run.ts is no test that anything runs",
    ]);
  });
  it("a test in a folder that no runner looks into, or a suite that is not in the list, proves nothing", () => {
    for (const path of ["infra/a.test.ts", "test/system/none/suite.ts"]) {
      const changed = page.replace("`cloud/src/pulls/model.test.ts`", `\`${path}\``);
      assert.deepEqual(
        claimFaults(changed, () => true),
        [`${path} is no test that anything runs`],
      );
    }
  });
  it("a claim without limits, without a test, or that was dropped is seen", () => {
    assert.deepEqual(faultOf("**Limits.** Numbers of SQL Server", "Numbers of SQL Server"), ["claim 10 has no Limits"]);
    assert.deepEqual(faultOf(/(## 9\.[\s\S]*?)\*\*Proved by\*\*[\s\S]*?(\*\*Limits)/, "$1$2"), [
      "claim 9 names no test",
    ]);
    assert.deepEqual(faultOf(/^## 9\.[\s\S]*?(?=^## 10\.)/m, ""), [
      "the claims are numbered 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13",
    ]);
  });
});
