import assert from "node:assert/strict";
import { test } from "node:test";
import { guidBytes, guidText, sidBytes, sidText } from "./sid.ts";

/** [MS-DTYP 2.4.2.1 and 2.4.2.2]: the text, and the bytes in hexadecimal. */
const SIDS: readonly (readonly [text: string, hex: string])[] = [
  ["S-1-5-32-544", "01020000000000052000000020020000"],
  ["S-1-1-0", "010100000000000100000000"],
  ["S-1-5-21-1004336348-1177238915-682003330-512", "010500000000000515000000dcf4dc3b833d2b46828ba62800020000"],
  ["S-1-0", "0100000000000000"],
];
for (const [text, hex] of SIDS) {
  test(`${text} is read and written`, () => {
    assert.equal(sidText(Buffer.from(hex, "hex")), text);
    assert.equal(sidBytes(text)?.toString("hex"), hex);
  });
}

test("bytes and texts that are no SID are none", () => {
  for (const hex of [
    "",
    "01",
    "0102000000000005200000002002000",
    "02010000000000010000000",
    "010200000000000520000000",
    "0110",
  ]) {
    assert.equal(sidText(Buffer.from(hex, "hex")), undefined, hex);
  }
  for (const text of [
    "",
    "S-1-5-4294967296",
    "S-2-5",
    "S-1-5-",
    "s-1-5",
    `S-1-5${"-1".repeat(16)}`,
    "S-1-281474976710656",
  ]) {
    assert.equal(sidBytes(text), undefined, text);
  }
});

test("a GUID's first three groups are stored backwards", () => {
  const stored = Buffer.from("00112233445566778899aabbccddeeff", "hex");
  assert.equal(guidText(stored), "33221100-5544-7766-8899-aabbccddeeff");
  assert.deepEqual(guidBytes("33221100-5544-7766-8899-AABBCCDDEEFF"), stored);
  assert.equal(guidText(stored.subarray(1)), undefined);
});
