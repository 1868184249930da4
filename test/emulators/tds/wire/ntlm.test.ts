import assert from "node:assert/strict";
import { test } from "node:test";
import { md4 } from "./md4.ts";
import { isNegotiate, makeChallenge, passwordKey, proof, readAnswer } from "./ntlm.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test("MD4 of the examples in RFC 1320, appendix A.5", () => {
  const digest = (text: string): string => md4(Buffer.from(text)).toString("hex");
  assert.equal(digest(""), "31d6cfe0d16ae931b73c59d7e0c089c0");
  assert.equal(digest("abc"), "a448017aaf21d8525fc10ae87aa6729d");
  assert.equal(digest("1234567890".repeat(8)), "e33b4ddc9c38f2199c3e7b164fcc0536");
});

test("NTLMv2 of the example in MS-NLMP 4.2.4", () => {
  const [challenge, client] = [hex("0123456789abcdef"), hex("aaaaaaaaaaaaaaaa")];
  const key = passwordKey("Password", "User", "Domain");
  assert.equal(key.toString("hex"), "0c868a403bfd7a93a3001ef22ef02e3f");
  assert.equal(proof(key, challenge, client).toString("hex"), "86c35097ac9cec102554764a57cccc19");
  const temp = hex(
    `0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000
    02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000 00000000`.replaceAll("\n", ""),
  );
  assert.equal(proof(key, challenge, temp).toString("hex"), "68cd0ab851e51c96aabc927bebef6a1c");
});

test("messages that are cut, or point outside themselves, are none", () => {
  const challenge = makeChallenge();
  assert.equal(isNegotiate(challenge.message), false);
  assert.equal(isNegotiate(Buffer.from("NTLMSSP")), false);
  for (const length of [0, 63, 64, 100]) {
    const message = Buffer.alloc(length);
    message.write("NTLMSSP\0", "latin1");
    if (length >= 64) {
      message.writeUInt32LE(3, 8);
      message.writeUInt16LE(200, 28);
    }
    assert.throws(() => readAnswer(message, challenge), RangeError);
  }
});
