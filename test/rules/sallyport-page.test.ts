import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EXIT } from "@sallyport/agent/src/cli/exit.ts";
import { createProgram } from "@sallyport/agent/src/cli/program.ts";
import { EXITS, helpOf, SALLYPORT_PAGE, sallyportPage, VERBS, verbsOf } from "./sallyport-page.ts";

test("docs/sallyport.md is what the command line says", async () => {
  assert.equal(readFileSync(SALLYPORT_PAGE, "utf8"), await sallyportPage(), "run `npx node test/rules/pages.ts`");
});

test("each verb is said who may run it, and no other", async () => {
  const verbs = verbsOf(await createProgram()).map(({ name }) => name);
  assert.deepEqual(Object.keys(VERBS).sort(), verbs.sort());
});

test("each exit code is explained, and named by the help", async () => {
  const doctors = [2, 3];
  const codes = [...Object.values<number>(EXIT), ...doctors];
  assert.deepEqual(
    Object.keys(EXITS).map(Number),
    codes.toSorted((a, b) => a - b),
  );
  const [, named = ""] = /^Exit codes: (.*?)\n\n/ms.exec(helpOf(await createProgram())) ?? [];
  for (const code of codes) assert.match(named, new RegExp(`\\b${code}\\b`), `${code}`);
});
