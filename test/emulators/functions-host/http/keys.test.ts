import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthLevel } from "../functions.ts";
import { isAllowed, presentedKey } from "./keys.ts";

const keys = { master: "the-master", function: "the-function" };

const CASES: [level: AuthLevel, key: string | undefined, allowed: boolean][] = [
  ["anonymous", undefined, true],
  ["anonymous", "wrong", true],
  ["function", undefined, false],
  ["function", "wrong", false],
  ["function", "", false],
  ["function", "the-function", true],
  ["function", "the-master", true],
  ["admin", undefined, false],
  ["admin", "the-function", false],
  ["admin", "the-master", true],
];

for (const [level, key, allowed] of CASES) {
  test(`${level} with ${key ?? "no key"}: ${allowed}`, () => assert.equal(isAllowed(level, key, keys), allowed));
}

test("a host without keys opens nothing but anonymous functions", () => {
  const none = { master: undefined, function: undefined };
  assert.equal(isAllowed("function", "undefined", none), false);
  assert.equal(isAllowed("admin", "", none), false);
});

test("the header wins over the query", () => {
  const url = new URL("https://localhost/x?code=query");
  assert.equal(presentedKey("header", url), "header");
  assert.equal(presentedKey(undefined, url), "query");
  assert.equal(presentedKey(undefined, new URL("https://localhost/x")), undefined);
});
