import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOfKrb5, failureOfSspi } from "./failure.ts";

test("krb5's numbers, as MIT's library gives them: signed or not", () => {
  const numbers = {
    expiredAccount: -1765328383,
    refused: -1765328360,
    unknownService: -1765328377,
    locked: -1765328366,
    expiredPassword: -1765328361,
    clockSkew: -1765328347,
    unreachable: -1765328228,
    failed: 0,
  };
  for (const [failure, number] of Object.entries(numbers)) {
    assert.equal(failureOfKrb5(number), failure);
    assert.equal(failureOfKrb5(number >>> 0), failure);
  }
});

test("SSPI's, which FFI gives as signed numbers", () => {
  assert.equal(failureOfSspi(0x8009030c | 0), "refused");
  assert.equal(failureOfSspi(0x80090311 | 0), "unreachable");
  assert.equal(failureOfSspi(0x80090301 | 0), "failed");
});
