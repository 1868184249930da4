import assert from "node:assert/strict";
import { test } from "node:test";
import { runSuites, type Suite } from "./suite.ts";

const suiteOf = (run: Suite["run"]): Suite => ({ name: "one", about: "a suite", run });

test("failed checks are counted and told with their reason, and the rest still runs", async () => {
  const said: string[] = [];
  const tally = await runSuites(
    [
      suiteOf(async (check) => {
        assert.equal(await check("first", () => assert.equal(1, 2, "one is not two")), false);
        assert.equal(await check("second", () => {}), true);
      }),
    ],
    (line) => said.push(line),
  );
  assert.deepEqual(tally, { passed: 1, failed: 1 });
  assert.match(said.join("\n"), /FAILED {2}first\n.*one is not two/);
  assert.match(said.join("\n"), /ok {6}second/);
});

test("a suite that throws outside its checks fails, and the next one runs", async () => {
  const tally = await runSuites(
    [suiteOf(() => Promise.reject(new Error("no stack"))), suiteOf((check) => check("it", () => {}).then(() => {}))],
    () => {},
  );
  assert.deepEqual(tally, { passed: 1, failed: 1 });
});
