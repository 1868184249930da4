import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { equalBytes, fromBase64url, sha256, toBase64url, utf8 } from "./bytes.ts";

describe("base64url", () => {
  it("encodes a view's own bytes only", () => {
    assert.equal(toBase64url(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)), "AgM");
  });
  it("decodes only the one form that encoding gives", () => {
    assert.deepEqual(fromBase64url("AgM"), Buffer.from([2, 3]));
    assert.deepEqual(fromBase64url(""), Buffer.alloc(0));
    // Padding, the other alphabet, white space, a stray bit in the last character, a length that no bytes have.
    for (const text of ["AgM=", "-_+/", "A gM", "AgM\n", "AgN", "A", "AgMé"])
      assert.equal(fromBase64url(text), undefined, text);
  });
});

it("SHA-256 over parts is that over the whole (FIPS 180-2, appendix B.1)", () => {
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(sha256(utf8("abc")).toString("hex"), expected);
  assert.equal(sha256(utf8("a"), utf8(""), utf8("bc")).toString("hex"), expected);
});

it("bytes of other length or content differ, without a throw", () => {
  assert.equal(equalBytes(utf8("abc"), new Uint8Array([97, 98, 99])), true);
  for (const other of ["abd", "ab", "abcd", ""]) assert.equal(equalBytes(utf8("abc"), utf8(other)), false);
});
