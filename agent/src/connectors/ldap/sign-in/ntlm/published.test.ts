/** The published example of NTLMv2 [MS-NLMP 4.2.1, 4.2.4], byte by byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticateMessage, parseChallenge } from "./messages.ts";
import { createReceiver, createSender } from "./protection.ts";
import { createRc4 } from "./rc4.ts";
import { ntlmv2Response, responseKey } from "./response.ts";
import { encodeTargetInfo, parseTargetInfo } from "./target-info.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");

const CHALLENGE = hex(`
  4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000 24002400 44000000
  060070170000000f 530065007200760065007200 02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000`);
const FLAGS = 0xe28a8233;
const CLIENT_CHALLENGE = Buffer.alloc(8, 0xaa);
const SESSION_KEY = Buffer.alloc(16, 0x55);
const LM_RESPONSE = hex("86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa");

const key = responseKey("User", "Domain", "Password");
const targetInfo = hex("02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000");
const proof = ntlmv2Response(key, hex("0123456789abcdef"), CLIENT_CHALLENGE, Buffer.alloc(8), targetInfo);

test("4.2.4.1: the response key and the session base key", () => {
  assert.deepEqual(key, hex("0c868a403bfd7a93a3001ef22ef02e3f"));
  assert.deepEqual(proof.sessionBaseKey, hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
});

test("4.2.4.2: the proof and the encrypted session key", () => {
  assert.deepEqual(proof.response.subarray(0, 16), hex("68cd0ab851e51c96aabc927bebef6a1c"));
  assert.deepEqual(createRc4(proof.sessionBaseKey)(SESSION_KEY), hex("c5dad2544fc9799094ce1ce90bc9d03e"));
});

test("4.2.4.3: the challenge is read as it is", () => {
  assert.deepEqual(parseChallenge(CHALLENGE), { flags: FLAGS, serverChallenge: hex("0123456789abcdef"), targetInfo });
  const pairs = parseTargetInfo(targetInfo);
  assert.deepEqual(
    pairs?.map(({ id, value }) => [id, value.toString("utf16le")]),
    [
      [2, "Domain"],
      [1, "Server"],
    ],
  );
  assert.deepEqual(encodeTargetInfo(pairs!), targetInfo);
});

test("4.2.4.3: the authenticate message, but for the place of a MIC, which the example has none of", () => {
  const message = authenticateMessage({
    ...{ flags: FLAGS, domain: "Domain", user: "User", workstation: "COMPUTER", lmResponse: LM_RESPONSE },
    ...{ ntResponse: proof.response, encryptedSessionKey: hex("c5dad2544fc9799094ce1ce90bc9d03e") },
  });
  const published = hex(`
    4e544c4d53535000 03000000 18001800 6c000000 54005400 84000000 0c000c00 48000000 08000800 54000000 10001000 5c000000
    10001000 d8000000 358288e2 0501280a0000000f 44006f006d00610069006e00 55007300650072 00 43004f004d0050005500540045005200
    86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa
    68cd0ab851e51c96aabc927bebef6a1c 0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000
    02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000
    c5dad2544fc9799094ce1ce90bc9d03e`);
  assert.deepEqual(message.subarray(88), published.subarray(72));
  const lengths = (bytes: Buffer) => [12, 20, 28, 36, 44, 52].map((field) => bytes.readUInt16LE(field));
  const places = (bytes: Buffer) => [12, 20, 28, 36, 44, 52].map((field) => bytes.readUInt32LE(field + 4));
  assert.deepEqual(lengths(message), lengths(published));
  assert.deepEqual(
    places(message),
    places(published).map((place) => place + 16),
  );
});

const PLAINTEXT = Buffer.from("Plaintext", "utf16le");
const SEALED = hex("01000000 7fb38ec5c55d4976 00000000 54e50165bf1936dc996020c1811b0f06fb5f");

test("4.2.4.4: a message is sealed as published, and opened on the other side", () => {
  assert.deepEqual(createSender(SESSION_KEY, "client").seal(PLAINTEXT), SEALED);
  assert.deepEqual(createReceiver(SESSION_KEY, "client").unseal(SEALED), PLAINTEXT);
});

test("one bit of a sealed message, of its checksum or of its number, and it is refused", () => {
  for (let at = 0; at < SEALED.byteLength; at += 1) {
    const altered = Buffer.from(SEALED);
    altered[at]! ^= 1;
    assert.equal(createReceiver(SESSION_KEY, "client").unseal(altered), undefined, `byte ${at}`);
  }
  assert.equal(createReceiver(SESSION_KEY, "client").unseal(SEALED.subarray(0, 15)), undefined);
  assert.equal(createReceiver(SESSION_KEY, "server").unseal(SEALED), undefined);
});

test("a message that is repeated, left out or exchanged is refused", () => {
  const sender = createSender(SESSION_KEY, "client");
  const [first, second] = [sender.seal(PLAINTEXT), sender.seal(PLAINTEXT)];
  const opens = (...messages: readonly Buffer[]): boolean => {
    const receiver = createReceiver(SESSION_KEY, "client");
    return messages.map((message) => receiver.unseal(message)).every((message) => message?.equals(PLAINTEXT));
  };
  assert.ok(opens(first, second));
  for (const wrong of [[first, first], [second], [second, first]]) assert.ok(!opens(...wrong));
});
