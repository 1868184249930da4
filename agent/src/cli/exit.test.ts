import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ConfigError, NotNowError } from "../config-error.ts";
import { FINAL, TRY_AGAIN } from "../install/endings.ts";
import { parseAnswer } from "../install/windows/native-child.ts";
import { EXIT, exitCodeOf, UsageError } from "./exit.ts";

test("what somebody has to mend ends for good; what comes back by itself is tried again", () => {
  const notAsked = (): unknown => {
    try {
      return parseAnswer(null, new Error("spawnSync ETIMEDOUT"));
    } catch (error) {
      return error;
    }
  };
  for (const error of [
    new NotNowError("an agent is already running"),
    new SallyportError("agent.journal_unwritable", "The journal line could not be written."),
    notAsked(),
  ])
    assert.equal(exitCodeOf(error), TRY_AGAIN, String(error));
  for (const error of [
    new UsageError("x"),
    new ConfigError("x"),
    new SallyportError("policy.invalid", "x"),
    new SallyportError("policy.denied", "x"),
  ])
    assert.ok(FINAL.includes(exitCodeOf(error)), String(error));
  assert.equal(exitCodeOf(new Error("a fault of ours")), EXIT.internal);
  assert.ok(!FINAL.includes(EXIT.internal));
});
