import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import ntlmPayload from "tedious/lib/ntlm-payload.js";
import { startTds, type Tds } from "../../../../test/emulators/tds/start.ts";
import { makeChallenge, readAnswer } from "../../../../test/emulators/tds/wire/ntlm.ts";
import { makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
import type { Target } from "../connector.ts";
import { openSession } from "./connect.ts";
import { useSystemNonces } from "./ntlm-nonce.ts";

const CREDENTIAL = { user: "CORP\\svc_sallyport", password: "Pässword-1", signIn: "windowsNtlm" };
let server: Tds;
let target: Target;

before(async () => {
  const authority = await makeAuthority();
  server = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: CREDENTIAL.user, password: CREDENTIAL.password, rights: "read" }],
    databases: ["ERP"],
  });
  target = {
    ...{ connection: "erp", host: "localhost", port: server.port, database: "ERP" },
    tls: { mode: "required", caPem: authority.caPem },
    credential: CREDENTIAL,
    refuseOverPrivileged: true,
    requestId: "rq_0123456789abcdef",
  };
});
after(() => server.close());

async function signIn(change: Partial<Target["credential"]> = {}): Promise<readonly string[]> {
  const told: string[] = [];
  const credential = { ...CREDENTIAL, ...change };
  const session = await openSession(
    { ...target, credential, onLogin: (step) => told.push(step) },
    1024,
    new AbortController().signal,
  );
  await session.close();
  return told;
}

const refused = (code: ErrorCode, number?: number) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.deepEqual([error.code, error.detail.number], [code, number]);
  return true;
};

test("a Windows login comes in by NTLM, as itself, and its password never goes out", async () => {
  assert.deepEqual(await signIn(), ["sent", "accepted"]);
  assert.deepEqual(await signIn({ user: "corp\\SVC_sallyport" }), ["sent", "accepted"]);
  const login = server.log.findLast(({ kind }) => kind === "login");
  assert.ok(login?.kind === "login");
  assert.deepEqual([login.login, login.application, login.result], ["CORP\\SVC_sallyport", "sallyport/erp", "ok"]);
});

test("Windows logins that are refused, each as such", async () => {
  await assert.rejects(signIn({ password: "Password-2" }), refused("connection.windows_login_refused", 18452));
  await assert.rejects(signIn({ user: "CORP\\nobody" }), refused("connection.windows_login_refused", 18452));
  for (const user of [
    "svc_sallyport",
    "svc@corp.example",
    "A\\B\\C",
    "\\svc",
    "CORP\\",
    "a name far too long\\svc",
    "CORP\\a\nb",
  ]) {
    await assert.rejects(signIn({ user }), refused("connection.windows_login_refused"), user);
  }
  await assert.rejects(signIn({ signIn: "kerberos" }), refused("connection.windows_login_refused"));
  await assert.rejects(signIn({ signIn: "sql" }), refused("connection.login_failed", 18456));
});

test("Windows takes the login, and the server does not know it: the login failed", async () => {
  const off = server.faults.add({ kind: "loginError", number: 18456 }, { times: 1 });
  await assert.rejects(signIn(), refused("connection.login_failed", 18456));
  off();
});

test("the driver's nonces come from the system, each another, and nothing in its NTLM asks Math.random", (t) => {
  useSystemNonces();
  t.mock.method(Math, "random", () => assert.fail("Math.random makes a secret"));
  const challenge = makeChallenge();
  const Payload = ntlmPayload as unknown as new (data: object) => { readonly data: Buffer };
  const target = challenge.message.subarray(challenge.message.readUInt32LE(44));
  const answer = () => {
    const login = { domain: "CORP", userName: "svc", password: "p", ntlmpacket: { nonce: challenge.nonce, target } };
    return readAnswer(new Payload(login).data, challenge);
  };
  const nonces = Array.from({ length: 64 }, () => {
    const { clientNonce, proves } = answer();
    assert.equal(clientNonce.length, 8);
    assert.ok(proves("p") && !proves("q"));
    return clientNonce.toString("hex");
  });
  assert.equal(new Set(nonces).size, 64);
  const source = readFileSync(new URL(import.meta.resolve("tedious/lib/ntlm-payload.js")), "utf8");
  assert.equal(source.split("\n//# source")[0]!.split("Math.random").length, 2, "once, in the method that is replaced");
  assert.match(source, /const client_nonce = this\.createClientNonce\(\);/);
});
