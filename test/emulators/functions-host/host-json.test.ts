import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTimeSpanMs } from "./duration.ts";
import { parseHostJson } from "./host-json.ts";
import { StartProblem } from "./start-problem.ts";

test("an empty host.json has the real host's defaults", () => {
  assert.deepEqual(parseHostJson('{ "version": "2.0" }'), {
    routePrefix: "api",
    functionTimeoutMs: 30 * 60_000,
    serviceBus: { maxConcurrentCalls: 16, prefetchCount: 0, autoCompleteMessages: true, maxAutoLockRenewalMs: 300_000 },
    hasExtensionBundle: false,
  });
});

test("what is set is taken, what is unknown is ignored", () => {
  const settings = parseHostJson(
    JSON.stringify({
      version: "2.0",
      functionTimeout: "00:15:00",
      logging: { logLevel: { default: "Information" } },
      extensionBundle: { id: "Microsoft.Azure.Functions.ExtensionBundle", version: "[4.*, 5.0.0)" },
      extensions: {
        http: { routePrefix: "/v1/", hsts: { isEnabled: true } },
        serviceBus: { maxConcurrentCalls: 8, maxAutoLockRenewalDuration: "00:16:00", autoCompleteMessages: false },
      },
    }),
  );
  assert.deepEqual(settings, {
    routePrefix: "v1",
    functionTimeoutMs: 15 * 60_000,
    serviceBus: { maxConcurrentCalls: 8, prefetchCount: 0, autoCompleteMessages: false, maxAutoLockRenewalMs: 960_000 },
    hasExtensionBundle: true,
  });
});

test("-1 is no time limit", () => {
  assert.equal(parseHostJson('{ "version": "2.0", "functionTimeout": "-1" }').functionTimeoutMs, undefined);
});

const bundle = (version: string) =>
  `{ "version": "2.0", "extensionBundle": { "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "${version}" } }`;

for (const version of ["[4.*, 5.0.0)", "[4.0.0, 5.0.0)", "[4.22.0,5.0.0)"]) {
  test(`the bundle range ${version} is taken`, () => {
    assert.equal(parseHostJson(bundle(version)).hasExtensionBundle, true);
  });
}

const REFUSED: [what: string, text: string, message: RegExp][] = [
  ["no JSON", "{", /no JSON/],
  ["no version", "{}", /must say "version": "2.0"/],
  ["another version", '{ "version": "1.0" }', /must say "version": "2.0"/],
  ["a bundle that is no range", bundle("4.0.0"), /must be a range/],
  ["a bundle of version 3", bundle("[3.*, 4.0.0)"), /must be a range/],
  ["another bundle", '{ "version": "2.0", "extensionBundle": { "id": "X", "version": "[4.*, 5.0.0)" } }', /id/],
  ["a bad time span", '{ "version": "2.0", "functionTimeout": "15m" }', /"15m" is no time span/],
  [
    "no calls at all",
    '{ "version": "2.0", "extensions": { "serviceBus": { "maxConcurrentCalls": 0 } } }',
    /maxConcurrentCalls/,
  ],
];

for (const [what, text, message] of REFUSED) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => parseHostJson(text),
      (error) => error instanceof StartProblem && message.test(error.message),
    );
  });
}

const SPANS: [text: string, ms: number | undefined][] = [
  ["00:00:00", 0],
  ["00:15:00", 900_000],
  ["1.02:03:04", 93_784_000],
  ["00:00:00.5", 500],
  ["00:00:00.0000001", 0.0001],
  ["24:00:00", undefined],
  ["00:60:00", undefined],
  ["15", undefined],
  ["-00:01:00", undefined],
  ["", undefined],
];

for (const [text, ms] of SPANS) {
  test(`the time span "${text}" is ${ms} ms`, () => assert.equal(parseTimeSpanMs(text), ms));
}
