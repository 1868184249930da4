import assert from "node:assert/strict";
import { test } from "node:test";
import { initToken, mechanismList, readServerToken, responseToken } from "./spnego.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");
const NTLM = Buffer.alloc(40, 0x4e);

test("the first token is the one of RFC 4178, 4.2.1, around a message of NTLM, as Windows writes it", () => {
  const expected = hex("6048 06062b0601050502 a03e 303c a00e 300c 060a2b06010401823702020a a22a 0428");
  assert.deepEqual(initToken("ntlm", NTLM), Buffer.concat([expected, NTLM]));
  const kerberos = initToken("kerberos", Buffer.of(1, 2, 3));
  const around = "6022 06062b0601050502 a018 3016 a00d 300b 06092a864886f712010202 a205 0403";
  assert.deepEqual(kerberos, Buffer.concat([hex(around), Buffer.of(1, 2, 3)]));
});

test("a long token has long lengths, the shortest that hold it", () => {
  const token = Buffer.alloc(300, 7);
  assert.deepEqual(responseToken(token), Buffer.concat([hex("a1820138 30820134 a2820130 0482012c"), token]));
  assert.deepEqual(responseToken(Buffer.of(1), Buffer.of(2)), hex("a10c 300a a203 040101 a303 040102"));
});

test("the list that both sides' MICs cover is the list itself, without its tag in the token", () => {
  assert.deepEqual(mechanismList("ntlm"), hex("300c 060a2b06010401823702020a"));
});

test("an answer is read, with lengths as a domain controller writes them", () => {
  const body = hex("a0030a0101 a10c060a2b06010401823702020a a206 0404 4e544c4d");
  const long = Buffer.concat([hex("a184 00000021 3084 0000001b"), body]);
  assert.deepEqual(readServerToken(long, "ntlm"), {
    ...{ state: "incomplete", isOther: false, mechToken: Buffer.from("NTLM"), mechListMic: undefined },
  });
  assert.deepEqual(readServerToken(hex("a10d 300b a0030a0100 a304 0402 6d6d"), "ntlm"), {
    ...{ state: "completed", isOther: false, mechToken: undefined, mechListMic: Buffer.from("mm") },
  });
});

test("another mechanism than the one that was offered is told", () => {
  const kerberos = hex("a114 3012 a0030a0101 a10b 06092a864886f712010202");
  assert.equal(readServerToken(kerberos, "ntlm").isOther, true);
  assert.equal(readServerToken(kerberos, "kerberos").isOther, false);
});

test("what is no such token is no answer", () => {
  for (const text of [
    "",
    "a1",
    "a1050403010203",
    "6003040100",
    "a107 3005 a0030401 00",
    "a10c 300a a0030a0101 a103 0a0100",
  ]) {
    assert.throws(() => readServerToken(hex(text), "ntlm"), { code: "directory.protocol" }, text);
  }
});
