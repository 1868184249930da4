import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { sidBytes } from "../../../../test/emulators/ldap/start.ts";
import { withDirectory } from "./open.ts";
import { findOne } from "./query.ts";
import { DEADLINES, type DirectoryTarget } from "./target.ts";
import { PASSWORD, STAFF, startDirectory } from "./test-directory.ts";

const never = new AbortController().signal;

/** The error's code, and what was told of the login; `open` where there was none. */
async function opening(target: DirectoryTarget): Promise<{ code: string; login: string[]; error?: SallyportError }> {
  const login: string[] = [];
  const told = { ...target, onLogin: (step: string) => login.push(step) };
  try {
    await withDirectory(told, async () => undefined, never, { ...DEADLINES, connectMs: 5_000 });
    return { code: "open", login };
  } catch (error) {
    assert.ok(error instanceof SallyportError);
    assert.ok(!`${error.message}${JSON.stringify(error.detail)}`.includes(target.credential.password || PASSWORD));
    return { code: error.code, login, error };
  }
}

test("a user principal name, DOMAIN\\user and a distinguished name sign in over LDAPS", async (t) => {
  const { target, account } = await startDirectory(t);
  for (const user of [account.principal, account.name, account.dn]) {
    assert.deepEqual(await opening(target({ user })), { code: "open", login: ["sent", "accepted"] });
  }
});

test("StartTLS signs in, and everything after it is under TLS", async (t) => {
  const { target, ldap, authority } = await startDirectory(t, { requiresSigning: true });
  const tls = { mode: "startTls", caPem: authority.caPem } as const;
  const found = await withDirectory(
    target({ port: ldap.ldapPort, tls }),
    ({ connection }) => findOne(connection, { base: STAFF, scope: "base", attributes: ["ou"] }),
    never,
  );
  assert.equal(found?.attributes[0]?.values[0]?.toString(), "Staff");
  assert.deepEqual(
    ldap.log.filter(({ event }) => event === "bind"),
    [{ event: "bind", user: "svc-sync@corp.example", password: true, tls: true }],
  );
});

test("a wrong password and an unknown user are one error, tried once", async (t) => {
  const { target, ldap } = await startDirectory(t);
  for (const different of [{ password: "wrong" }, { user: "nobody@corp.example" }]) {
    const { code, login } = await opening(target(different));
    assert.deepEqual([code, login], ["connection.login_failed", ["sent"]]);
  }
  assert.equal(ldap.log.filter(({ event }) => event === "bind").length, 2);
});

test("clocks four minutes apart are good enough, and more are an error with both times", async (t) => {
  const four = await startDirectory(t, { nowMs: () => Date.now() + 4 * 60_000 });
  assert.equal((await opening(four.target())).code, "open");
  const six = await startDirectory(t, { nowMs: () => Date.now() + 6 * 60_000 });
  const { theirs, ours } = (await opening(six.target())).error!.detail as { theirs: string; ours: string };
  assert.ok(Math.abs(Date.parse(theirs) - Date.parse(ours) - 6 * 60_000) < 60_000);
});

test("a login that rules the domain is refused where the policy says so", async (t) => {
  const { target, ldap, account } = await startDirectory(t);
  const careful = (): DirectoryTarget => target({ refuseOverPrivileged: true });
  assert.equal((await opening(careful())).code, "open");
  for (const [rid, code] of [
    ["512", "connection.over_privileged"],
    ["525", "open"],
  ] as const) {
    Object.assign(account, { groups: [`${ldap.store.domainSid}-${rid}`] });
    assert.equal((await opening(careful())).code, code);
  }
  Object.assign(account, { groups: ["S-1-5-32-544"] });
  assert.equal((await opening(careful())).code, "connection.over_privileged");
  assert.equal((await opening(target())).code, "open");
});

/** A descriptor with one entry that lets `sid` use the extended right. */
function descriptorFor(sid: string, right: string): Buffer {
  const guid = Buffer.from(right.replaceAll("-", ""), "hex");
  const mixed = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => guid[at]!));
  const body = Buffer.concat([Buffer.from([0, 1, 0, 0, 1, 0, 0, 0]), mixed, sidBytes(sid)]);
  const ace = Buffer.concat([Buffer.from([5, 0, 4 + body.length, 0]), body]);
  const acl = Buffer.concat([Buffer.from([4, 0, 8 + ace.length, 0, 1, 0, 0, 0]), ace]);
  const head = Buffer.alloc(20);
  head.writeUInt8(1, 0);
  head.writeUInt16LE(0x8004, 2);
  head.writeUInt32LE(20, 16);
  return Buffer.concat([head, acl]);
}

test("a login that may read every password's hash is refused; one that may only see changes is not", async (t) => {
  const { target, ldap } = await startDirectory(t);
  const careful = target({ refuseOverPrivileged: true });
  const users = `${ldap.store.domainSid}-513`;
  const changesAll = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2";
  ldap.store.set("DC=corp,DC=example", { nTSecurityDescriptor: descriptorFor(users, changesAll) });
  const { code, error } = await opening(careful);
  assert.deepEqual([code, error?.detail.right], ["connection.over_privileged", "DS-Replication-Get-Changes-All"]);
  const changes = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2";
  ldap.store.set("DC=corp,DC=example", { nTSecurityDescriptor: descriptorFor(users, changes) });
  assert.equal((await opening(careful)).code, "open");
  ldap.store.set("DC=corp,DC=example", { nTSecurityDescriptor: Buffer.alloc(30, 0x10) });
  assert.equal((await opening(careful)).code, "directory.protocol");
});
