import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseTimeSpanMs } from "../emulators/functions-host/duration.ts";
import { ROOT } from "./source.ts";

const host = JSON.parse(readFileSync(join(ROOT, "cloud/host.json"), "utf8"));
const { serviceBus } = host.extensions;
const seconds = (span: string): number => parseTimeSpanMs(span)! / 1000;

/** The most that SALLYPORT_CLAIM_SECONDS may say, read from its schema. */
function longestClaim(): number {
  const settings = readFileSync(join(ROOT, "cloud/src/settings.ts"), "utf8");
  return Number(/SALLYPORT_CLAIM_SECONDS: told\(\s*seconds\((\d+)\)/.exec(settings)?.[1]);
}

test("without the extension bundle Azure would register no Service Bus trigger, and a local host would not notice", () => {
  assert.deepEqual(host.extensionBundle, {
    id: "Microsoft.Azure.Functions.ExtensionBundle",
    version: "[4.*, 5.0.0)",
  });
});

test("an invocation outlasts the longest claim, and a message's lock the invocation", () => {
  assert.ok(longestClaim() > 0 && longestClaim() < seconds(host.functionTimeout));
  assert.ok(seconds(host.functionTimeout) < seconds(serviceBus.maxAutoLockRenewalDuration));
});

test("no line that an alert looks for is sampled away", () => {
  const { isEnabled, excludedTypes } = host.logging.applicationInsights.samplingSettings;
  assert.deepEqual([isEnabled, excludedTypes.split(";").sort()], [true, ["Exception", "Request", "Trace"]]);
});

test("eight messages at a time and none ahead; what returns is completed", () => {
  assert.deepEqual(
    [serviceBus.maxConcurrentCalls, serviceBus.prefetchCount, serviceBus.autoCompleteMessages],
    [8, 0, true],
  );
});
