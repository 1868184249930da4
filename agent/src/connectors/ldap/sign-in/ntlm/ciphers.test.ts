import assert from "node:assert/strict";
import { test } from "node:test";
import { md4 } from "./md4.ts";
import { createRc4 } from "./rc4.ts";

test("MD4 gives the digests of RFC 1320, A.5", () => {
  const digests = {
    "": "31d6cfe0d16ae931b73c59d7e0c089c0",
    a: "bde52cb31de33e46245e05fbdbd6fb24",
    abc: "a448017aaf21d8525fc10ae87aa6729d",
    "message digest": "d9130a8164549fe818874806e1c7014b",
    abcdefghijklmnopqrstuvwxyz: "d79e1c308aa5bbcdeea8ed63df412da9",
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: "043f8582f241db351ce627e153e7f0e4",
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890":
      "e33b4ddc9c38f2199c3e7b164fcc0536",
  };
  for (const [text, digest] of Object.entries(digests)) assert.equal(md4(Buffer.from(text)).toString("hex"), digest);
});

test("RC4 gives the key streams of RFC 6229", () => {
  const streams = {
    "0102030405": "b2396305f03dc027ccc3524a0a1118a8",
    "0102030405060708090a0b0c0d0e0f10": "9ac7cc9a609d1ef7b2932899cde41b97",
  };
  for (const [key, stream] of Object.entries(streams)) {
    assert.equal(createRc4(Buffer.from(key, "hex"))(Buffer.alloc(16)).toString("hex"), stream);
  }
});

test("RC4 goes on where it stopped", () => {
  const whole = createRc4(Buffer.from("Key"))(Buffer.from("Plaintext"));
  const pieces = createRc4(Buffer.from("Key"));
  assert.equal(whole.toString("hex"), "bbf316e8d940af0ad3");
  assert.deepEqual(Buffer.concat([pieces(Buffer.from("Plain")), pieces(Buffer.from("text"))]), whole);
});
