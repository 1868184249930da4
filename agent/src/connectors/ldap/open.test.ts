import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Account, sidBytes } from "../../../../test/emulators/ldap/start.ts";
import { makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
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

const REFUSED_FORMS: readonly (readonly [what: string, user: string, password: string])[] = [
  ["no user", "", "x"],
  ["no password", "svc-sync@corp.example", ""],
  ["neither", "", ""],
  ...["EXTERNAL", "PLAIN", "DIGEST-MD5", "SCRAM-SHA-1", "GSSAPI"].map((user) => [user, user, "x"] as const),
  ["a bare name", "svc-sync", "x"],
  ["a NUL", "svc\0@corp.example", "x"],
  ["a CR", "svc\r@corp.example", "x"],
  ["an LF", "CORP\\svc\n", "x"],
  ["a password with a NUL", "svc-sync@corp.example", "x\0y"],
  ["two signs", "a@b@c", "x"],
  ["half of a name", "CN=", "x"],
];
for (const [what, user, password] of REFUSED_FORMS) {
  test(`a login with ${JSON.stringify(what)} is refused before anything is contacted`, async (t) => {
    const { target, ldap } = await startDirectory(t);
    const { code, login } = await opening(target({ user, password }));
    assert.deepEqual([code, login], ["directory.login_form", []]);
    assert.deepEqual(ldap.log, []);
  });
}

test("a simple sign-in without TLS is refused before a byte is sent", async (t) => {
  const { target, ldap } = await startDirectory(t);
  let connected = 0;
  ldap.emulated.onMessage = () => {
    connected += 1;
    return undefined;
  };
  const { code, login } = await opening(target({ port: ldap.ldapPort, tls: { mode: "sealed" } }));
  assert.deepEqual([code, login, connected], ["directory.clear_text", [], 0]);
});

test("a way to sign in that is not known here is refused before anything is contacted", async (t) => {
  const { target, ldap } = await startDirectory(t);
  for (const signIn of ["magic", "constructor"]) {
    const { code } = await opening({ ...target(), credential: { ...target().credential, signIn } });
    assert.equal(code, "directory.unsupported");
  }
  assert.deepEqual(ldap.log, []);
});

type State = NonNullable<Account["state"]>;
const WAS_RIGHT = ["sent", "accepted"];
const STATES: readonly {
  readonly name: string;
  readonly state: State;
  readonly code: string;
  readonly sub: string;
  readonly login: readonly string[];
}[] = [
  {
    name: "an account in state logonHours",
    state: "logonHours",
    code: "directory.logon_hours",
    sub: "530",
    login: WAS_RIGHT,
  },
  {
    name: "an account in state workstation",
    state: "workstation",
    code: "directory.workstation",
    sub: "531",
    login: WAS_RIGHT,
  },
  {
    name: "an account in state passwordExpired",
    state: "passwordExpired",
    code: "directory.password_expired",
    sub: "532",
    login: WAS_RIGHT,
  },
  {
    name: "an account in state disabled",
    state: "disabled",
    code: "directory.account_disabled",
    sub: "533",
    login: WAS_RIGHT,
  },
  {
    name: "an account in state expired",
    state: "expired",
    code: "directory.account_expired",
    sub: "701",
    login: WAS_RIGHT,
  },
  {
    name: "an account in state mustChange",
    state: "mustChange",
    code: "directory.password_expired",
    sub: "773",
    login: WAS_RIGHT,
  },
  {
    name: "an account in state locked",
    state: "locked",
    code: "connection.account_locked",
    sub: "775",
    login: ["sent"],
  },
];
for (const { name, state, code, sub, login } of STATES) {
  test(`${name} is ${code}; whether the password was right is told to the breaker`, async (t) => {
    const { target, account } = await startDirectory(t);
    account.state = state;
    const opened = await opening(target());
    assert.deepEqual([opened.code, opened.login], [code, login]);
    assert.deepEqual(opened.error?.detail, { number: 49, state: sub });
  });
}

test("a wrong password and an unknown user are one error, tried once", async (t) => {
  const { target, ldap } = await startDirectory(t);
  for (const different of [{ password: "wrong" }, { user: "nobody@corp.example" }]) {
    const { code, login } = await opening(target(different));
    assert.deepEqual([code, login], ["connection.login_failed", ["sent"]]);
  }
  assert.equal(ldap.log.filter(({ event }) => event === "bind").length, 2);
});

async function certificateCase(t: TestContext, names: readonly string[], own: boolean): Promise<string> {
  const authority = await makeAuthority();
  const { target, authority: trusted } = await startDirectory(t, { tls: await authority.issue({ names }) });
  const { caPem } = own ? authority : trusted;
  const { code, error } = await opening(target({ tls: { mode: "required", caPem } }));
  return `${code} ${String(error?.detail.reason)}`;
}

test("a certificate of another authority, or for another name, is refused", async (t) => {
  const untrusted = await certificateCase(t, ["localhost"], false);
  assert.match(untrusted, /^connection\.tls (UNABLE_TO_|SELF_SIGNED|CERT_SIGNATURE)/);
  assert.equal(
    await certificateCase(t, ["dc1.elsewhere.example"], true),
    "connection.tls ERR_TLS_CERT_ALTNAME_INVALID",
  );
});

test("a port without TLS, a closed port and an unknown name are told apart", async (t) => {
  const { target, ldap } = await startDirectory(t);
  assert.equal((await opening(target({ port: ldap.ldapPort }))).code, "connection.tls");
  assert.equal((await opening(target({ host: "no-such-host.invalid" }))).code, "connection.unreachable");
  const { ldapsPort } = ldap;
  await ldap.close();
  t.mock.method(ldap, "close", async () => undefined);
  const { code, error } = await opening(target({ port: ldapsPort }));
  assert.deepEqual([code, error?.detail], ["connection.unreachable", { reason: "ECONNREFUSED" }]);
});

test("clocks more than five minutes apart are an error with both times, before the password is sent", async (t) => {
  for (const minutes of [-6, 6]) {
    const { target, ldap } = await startDirectory(t, { nowMs: () => Date.now() + minutes * 60_000 });
    const { code, login, error } = await opening(target());
    assert.deepEqual([code, login], ["directory.clock_skew", []]);
    const { theirs, ours } = error!.detail as { theirs: string; ours: string };
    assert.ok(Math.abs(Math.abs(Date.parse(theirs) - Date.parse(ours)) - 6 * 60_000) < 60_000);
    assert.deepEqual(
      ldap.log.filter(({ event }) => event === "bind"),
      [],
    );
  }
  const { target } = await startDirectory(t, { nowMs: () => Date.now() + 4 * 60_000 });
  assert.equal((await opening(target())).code, "open");
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
