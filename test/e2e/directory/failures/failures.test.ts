/** Each failure of a session with a directory: its code, its message, what ends it, and what crossed the network meanwhile. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Ends, Failure } from "./failure.ts";
import { PAGE, page } from "./page.ts";
import { createStage, LOGIN } from "./stage.ts";
import { TABLE } from "./table.ts";

const HOUR_MS = 3_600_000;
/** Of the one deadline that is to end it; nothing else comes to pass, however long it is. */
const SMALL_MS = 2_000;

const deadlinesFor = (ends: Ends) => {
  const all = { connectMs: HOUR_MS, signInMs: HOUR_MS, answerMs: HOUR_MS };
  return ends in all ? { ...all, [ends]: SMALL_MS } : all;
};
const withoutTimes = (message: string): string => message.replaceAll(/\d{4}-\d{2}-\d{2}T[0-9:.]+Z/g, "…");

for (const { title, rows } of TABLE) {
  for (const failure of rows) {
    const { name, code } = failure;
    test(`${title.toLowerCase()}: ${name} is ${code}`, { timeout: 120_000 }, (t) => hold(t, failure));
  }
}

async function hold(t: Parameters<typeof createStage>[0], failure: Failure): Promise<void> {
  const stage = createStage(t, deadlinesFor(failure.ends));
  const error = await failure.meet(stage).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SallyportError, String(error));
  assert.deepEqual([error.code, withoutTimes(error.message)], [failure.code, failure.message]);
  for (const [fact, value] of Object.entries(failure.detail ?? {})) assert.deepEqual(error.detail[fact], value, fact);
  if (failure.login !== undefined) assert.deepEqual(stage.steps, failure.login);
  const told = `${error.message}${JSON.stringify(error.detail)}`;
  assert.ok(!told.includes(LOGIN.password) && !told.includes(LOGIN.user));
  await stage.checkWire(failure.wire);
}

test("the page says what the table does: `npx node test/rules/pages.ts` writes it", () => {
  assert.equal(readFileSync(PAGE, "utf8"), page());
});
