import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createKerberos } from "../executor/kerberos.ts";
import type { FromSignIn, ToSignIn } from "../pipe/sign-in-messages.ts";
import { startSignInChild } from "./sign-in-child.ts";

const LOG = { error: () => {} };

/** The real child, and what it says, one after the other. */
function start(command?: readonly string[]) {
  const ended = Promise.withResolvers<void>();
  const heard: FromSignIn[] = [];
  let wake = (): void => {};
  const child = startSignInChild(
    (from) => {
      heard.push(from);
      wake();
    },
    ended.resolve,
    LOG,
    ...(command === undefined ? [] : [command]),
  );
  const next = async (): Promise<FromSignIn> => {
    while (heard.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return heard.shift()!;
  };
  const signIn = (to?: ToSignIn): Promise<FromSignIn> => {
    if (to !== undefined) child.send(to);
    return next();
  };
  return { child, signIn, ended: ended.promise, heard };
}

test("the child takes a sealed login, says what Kerberos makes of it, and ends by itself", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-krb5-"));
  t.after(() => rmSync(folder, { recursive: true }));
  process.env.KRB5_CONFIG = join(folder, "krb5.conf");
  // Nobody outside is asked for its servers.
  writeFileSync(process.env.KRB5_CONFIG, "[libdefaults]\n  dns_lookup_kdc = false\n  dns_lookup_realm = false\n");
  const { signIn, ended } = start();
  const step = await createKerberos({ signIn }).start({
    ...{ login: "kari@sallyport.invalid", password: "secret", realm: "SALLYPORT.INVALID" },
    ...{ service: "ldap/dc1.sallyport.invalid", channelBinding: undefined },
  });
  // A realm that no file has; a machine without the library says `unavailable`.
  assert.ok("why" in step && ["unreachable", "unavailable"].includes(step.why), JSON.stringify(step));
  await ended;
});

test("what is not sealed to it, or not of the list, ends it without a word", async () => {
  for (const wrong of [
    { say: "start", enc: "AAAA", ciphertext: "AAAA" },
    { say: "answer", token: "AAAA" },
    { say: "other" },
  ] as ToSignIn[]) {
    const { child, signIn, ended, heard } = start();
    assert.equal((await signIn()).say, "key");
    child.send(wrong);
    await ended;
    assert.deepEqual(heard, []);
  }
});

test("without Node's permission model it serves nobody", async () => {
  const { SIGN_IN_MODULE } = await import("../program.ts");
  const { ended, heard } = start([process.execPath, SIGN_IN_MODULE]);
  await ended;
  assert.deepEqual(heard, []);
});

test("a child that says what is not of the list is killed, and one that cannot start is told of", async () => {
  const babble = 'require("fs").writeSync(3, "{}\\n"); setInterval(() => {}, 1e6);';
  await start([process.execPath, "-e", babble]).ended;
  await start(["/nonexistent/node"]).ended;
  // What Node throws instead of telling.
  await start(["node\0"]).ended;
});
