import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { channelBindingHash } from "../channel-binding.ts";
import { createNtlmClient, type NtlmLogin } from "./client.ts";
import { FLAG } from "./flags.ts";
import { createNtlmServer, type NtlmServerOptions } from "./test-server.ts";

const account = { user: "kari", domain: "CORP", password: "Fjord-2026-æøå" };
const binding = Buffer.from("tls-server-end-point:certificate");

const sources = { randomBytes, nowMs: () => 0 };

function meet(login: Partial<NtlmLogin>, options: NtlmServerOptions = {}) {
  const client = createNtlmClient(
    {
      login: "CORP\\kari",
      password: account.password,
      servicePrincipal: "ldap/dc1.corp.example",
      sealed: true,
      ...login,
    },
    sources,
  );
  const server = createNtlmServer(account, options);
  const answer = client.answer(server.challenge(client.negotiate));
  return { client, server, answer, end: answer && server.accept(answer.message) };
}

test("both sides come to one key, by either form of a login", () => {
  for (const login of ["CORP\\kari", "corp\\KARI", "kari@corp.example"]) {
    const { answer, end } = meet({ login });
    // The domain is of the proof as it is written, the user in upper case [MS-NLMP 3.3.2].
    assert.ok(end !== undefined && "sessionKey" in end, login);
    assert.deepEqual(end.sessionKey, answer!.sessionKey);
  }
});

test("what is sealed asks for signatures and encryption, what is in TLS for neither", () => {
  for (const [sealed, expected] of [
    [true, FLAG.sign | FLAG.seal],
    [false, 0],
  ] as const) {
    const { end } = meet({ sealed });
    assert.ok(end !== undefined && "flags" in end);
    assert.equal(end.flags & (FLAG.sign | FLAG.seal), expected);
  }
});

test("another password, another binding, or none, is refused by the server", () => {
  const bindingHash = channelBindingHash(binding);
  assert.deepEqual(meet({ password: "other" }).end, { refused: "password" });
  assert.ok("sessionKey" in meet({ channelBinding: binding }, { bindingHash }).end!);
  assert.deepEqual(meet({ channelBinding: Buffer.from("other") }, { bindingHash }).end, { refused: "binding" });
  assert.deepEqual(meet({}, { bindingHash }).end, { refused: "binding" });
});

test("a message that is changed on its way breaks the MIC", () => {
  const { client, server, answer } = meet({});
  const altered = Buffer.from(answer!.message);
  altered.writeUInt32LE((altered.readUInt32LE(60) & ~FLAG.seal) >>> 0, 60);
  assert.deepEqual(server.accept(altered), { refused: "MIC" });
  const weaker = Buffer.from(client.negotiate);
  weaker.writeUInt32LE((weaker.readUInt32LE(12) & ~FLAG.seal) >>> 0, 12);
  const between = createNtlmServer(account);
  const challenge = between.challenge(weaker);
  challenge.writeUInt32LE((challenge.readUInt32LE(20) | FLAG.seal) >>> 0, 20);
  assert.deepEqual(between.accept(client.answer(challenge)!.message), { refused: "MIC" });
});

test("a server that agrees to less gets no answer", () => {
  for (const name of [
    "unicode",
    "extendedSessionSecurity",
    "targetInfo",
    "key128",
    "keyExchange",
    "sign",
    "seal",
  ] as const) {
    assert.equal(meet({}, { without: FLAG[name] }).answer, undefined, name);
  }
});

test("a server without a time is answered with the time here", () => {
  assert.ok("sessionKey" in meet({}, { timeless: true }).end!);
});

test("what is no challenge gets no answer", () => {
  const { client, server } = meet({});
  const challenge = server.challenge(client.negotiate);
  const altered = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(challenge);
    change(bytes);
    return bytes;
  };
  const wrong = [
    Buffer.alloc(0),
    challenge.subarray(0, 47),
    challenge.subarray(0, -1),
    altered((bytes) => bytes.writeUInt32LE(1, 8)),
    altered((bytes) => bytes.write("NTLMSSQ", "latin1")),
    altered((bytes) => bytes.writeUInt32LE(0xffffffff, 44)),
    altered((bytes) => bytes.writeUInt32LE(0, 44)),
    altered((bytes) => bytes.writeUInt16LE(0, 40)),
    altered((bytes) => bytes.writeUInt16LE(0xfff0, 58)),
  ];
  for (const [index, bytes] of wrong.entries()) assert.equal(client.answer(bytes), undefined, `case ${index}`);
});
