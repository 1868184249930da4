import assert from "node:assert/strict";
import { test } from "node:test";
import { generateSessionKey, open } from "@sallyport/shared/crypto/envelope.ts";
import { MAX_LINE_BYTES } from "../pipe/messages.ts";
import { type FromSignIn, SIGN_IN_INFO, type ToSignIn } from "../pipe/sign-in-messages.ts";
import { createKerberos } from "./kerberos.ts";

const LOGIN = {
  ...{
    login: "kari@corp.example",
    password: "Fjord-2026-Blåbær",
    realm: "CORP.EXAMPLE",
    service: "ldap/dc1.corp.example",
  },
  channelBinding: Buffer.from("tls-server-end-point:x"),
};

async function childOf(...says: readonly FromSignIn[]) {
  const sessionKey = await generateSessionKey();
  const key = Buffer.from(sessionKey.publicKey).toString("base64url");
  const left: FromSignIn[] = [{ say: "key", key }, ...says];
  const heard: (ToSignIn | undefined)[] = [];
  const signIn = async (to?: ToSignIn): Promise<FromSignIn> => {
    heard.push(to);
    return left.shift()!;
  };
  return { sessionKey, heard, signIn };
}

test("the login is sealed to the child's key: whoever hands it on reads nothing of it", async () => {
  const child = await childOf({ say: "token", token: "AQID", isDone: false });
  assert.deepEqual(await createKerberos(child).start(LOGIN), { token: Buffer.of(1, 2, 3), isDone: false });
  const [asked, start] = child.heard;
  assert.equal(asked, undefined);
  assert.ok(start?.say === "start");
  const line = JSON.stringify({ say: "signIn", to: start });
  assert.ok(!/kari|Fjord|corp/i.test(line) && line.length < MAX_LINE_BYTES.toSupervisor);
  const bytes = (text: string) => Buffer.from(text, "base64url");
  const none = new Uint8Array();
  const opened = await open(child.sessionKey, bytes(start.enc), SIGN_IN_INFO, none, bytes(start.ciphertext));
  const { channelBinding, ...rest } = JSON.parse(Buffer.from(opened!.plaintext).toString("utf8"));
  assert.deepEqual({ ...rest, channelBinding: bytes(channelBinding) }, LOGIN);
});

test("the longest login fits a line of the pipe", async () => {
  const child = await childOf({ say: "token", token: "", isDone: true });
  await createKerberos(child).start({
    ...LOGIN,
    login: `${"ø".repeat(128)}@${"ø".repeat(127)}`,
    password: "€".repeat(256),
  });
  assert.ok(JSON.stringify({ say: "signIn", to: child.heard[1] }).length < MAX_LINE_BYTES.toSupervisor);
});

test("what the child refuses is told, before the login or after it", async () => {
  const failed: FromSignIn = { say: "failed", why: "unreachable", number: -1765328228 };
  assert.deepEqual(await createKerberos(await childOf(failed)).start(LOGIN), {
    why: "unreachable",
    number: -1765328228,
  });
  const none = { signIn: async (): Promise<FromSignIn> => ({ say: "failed", why: "unavailable", number: 0 }) };
  assert.deepEqual(await createKerberos(none).start(LOGIN), { why: "unavailable", number: 0 });
});

test("a login that the child would not take is refused before it goes anywhere", async () => {
  const child = await childOf();
  for (const wrong of [{ realm: "corp example" }, { service: "http/x" }, { password: "x".repeat(257) }]) {
    const again = await childOf();
    await assert.rejects(createKerberos(again).start({ ...LOGIN, ...wrong }), { code: "directory.login_form" });
    assert.equal(again.heard.length, 1);
  }
  await assert.rejects(createKerberos(child).answer(Buffer.alloc(10_000)), { code: "directory.protocol" });
});
