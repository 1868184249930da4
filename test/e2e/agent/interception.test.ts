/**
 * A company's proxy that opens TLS, its authority in the agent's `tls.ca`: the agent works through it, and it can swap
 * no key. Without that authority nothing goes through at all.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import type { Interception } from "../../emulators/proxy/intercept.ts";
import { startProxy, type TestProxy } from "../../emulators/proxy/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { dial } from "./sender.ts";
import { type Site, startSite } from "./site.ts";

const NAMES = { orchestrator: "orchestrator.invalid", relay: "contoso.relay.invalid", rendezvous: "g1.relay.invalid" };
const ENROL = "/api/agent/enrol";
const TOKEN = "/api/agent/token";
const PASSWORD = "Tr0ub4dor&3-behind-the-proxy";
type Json = Record<string, unknown>;

let site: Site;
let proxy: TestProxy;
/** What the proxy makes of bodies; set by a test, taken back after it. */
const alter: { request: Interception["request"]; answer: Interception["answer"] } = {
  request: undefined,
  answer: undefined,
};
before(async () => {
  site = await startSite(NAMES);
  const own = await makeAuthority();
  proxy = await startProxy({
    names: Object.values(NAMES),
    interception: {
      authority: own,
      upstreamCa: site.authority.caPem,
      request: (path, body) => alter.request?.(path, body) ?? body,
      answer: (path, body) => alter.answer?.(path, body) ?? body,
    },
  });
  writeFileSync(join(site.state, "..", "both.pem"), `${site.authority.caPem}${own.caPem}`);
});
after(async () => {
  await site.close();
  await proxy.stop();
});
afterEach(() => {
  alter.request = undefined;
  alter.answer = undefined;
});

/** As its owner would: with the authority that the company's IT gave out. */
const enrol = (code = site.orchestrator.code()) =>
  site.enroll(code, ["--ca", join(site.state, "..", "both.pem"), "--proxy", proxy.url()]);
const codeOf = (stdout: string) => (JSON.parse(stdout) as { error: { code: string } }).error.code;
const changed = (bytes: Buffer, change: (value: Json) => Json): Buffer =>
  Buffer.from(utf8(JSON.stringify(change(JSON.parse(bytes.toString()) as Json))));
/** Changes what stands in `body` of an enrolment's envelope, and leaves its MAC, which only the code's secret can make. */
const inside = (bytes: Buffer, change: (value: Json) => Json): Buffer =>
  changed(bytes, (outer) => ({ ...outer, body: toBase64url(changed(fromBase64url(String(outer.body))!, change)) }));

test("without its authority in tls.ca nothing passes: network.tls", async () => {
  const result = await site.enroll(site.orchestrator.code(), ["--proxy", proxy.url()]);
  assert.equal(result.code, 69);
  assert.equal(codeOf(result.stdout), "network.tls");
  assert.equal(site.orchestrator.agents.size, 0);
});

test("2. enrolment: keys swapped in the answer are enrolment.intercepted, and nothing is pinned", async () => {
  const thief = await generateKeyPair("ES256");
  alter.answer = (path, body) =>
    path === ENROL ? inside(body, (answer) => ({ ...answer, keys: [thief.publicJwk] })) : body;
  const result = await enrol();
  assert.equal(result.code, 77);
  assert.equal(codeOf(result.stdout), "enrolment.intercepted");
  assert.equal(existsSync(join(site.state, "pinned.json")), false);
});

test("2. enrolment: a relay of the proxy's own in the answer is enrolment.intercepted", async () => {
  alter.answer = (path, body) =>
    path === ENROL ? inside(body, (answer) => ({ ...answer, relayHost: "relay.attacker.example" })) : body;
  assert.equal(codeOf((await enrol()).stdout), "enrolment.intercepted");
});

test("2. enrolment: an identity swapped in the request is refused by the orchestrator, and no agent comes of it", async () => {
  const before = site.orchestrator.agents.size;
  const thief = await generateKeyPair("EdDSA");
  alter.request = (path, body) =>
    path === ENROL ? inside(body, (request) => ({ ...request, identity: thief.publicJwk })) : body;
  assert.equal(codeOf((await enrol()).stdout), "enrolment.refused");
  assert.equal(site.orchestrator.agents.size, before);
});

test("2. enrolment: the code's secret never passes, and an untouched enrolment succeeds", async () => {
  const code = site.orchestrator.code();
  const result = await enrol(code);
  assert.equal(result.code, 0, result.stderr);
  const secret = code.split(".")[1]!;
  const seen = proxy.read().toString("latin1");
  for (const form of [secret, secret.replaceAll("-", ""), secret.replaceAll("-", "").slice(0, 20)]) {
    assert.equal(seen.includes(form), false);
  }
});

test("4. session: the agent works through it, and it reads neither operation nor credential", async () => {
  site.setPolicy(`
v: 1
connections:
  erp:
    kind: mssql
    address: 127.0.0.1:1
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table], tables: [dbo.SecretOrders], columns: "*" }
`);
  const agent = await site.start();
  const dialled = await dial(site);
  assert.ok(dialled.ok);
  await dialled.sender.request({
    connection: "erp",
    operation: { op: "sql.table", table: "dbo.SecretOrders", columns: "*", watermark: "none" },
    credential: { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" },
  });
  const last = (await dialled.sender.messages()).at(-1);
  assert.equal(last?.kind === "error" && last.body.code, "connection.unreachable");
  const seen = proxy.read().toString("latin1");
  // It does read what is only TLS: or this test would look into the wrong bytes.
  assert.match(seen, /SharedAccessSignature/);
  for (const secret of [PASSWORD, "SecretOrders", Buffer.from(PASSWORD).toString("base64url")]) {
    assert.equal(seen.includes(secret), false, "the proxy read what is sealed");
  }
  assert.equal(await agent.stop(), 0);
});

for (const [name, change] of [
  ["another relay", (answer: Json) => ({ ...answer, listenUrl: `wss://other.invalid/$hc/a-1?sb-hc-action=listen` })],
  ["another path", (answer: Json) => ({ ...answer, listenUrl: `${answer.listenUrl}`.replace("/$hc/a-", "/$hc/b-") })],
] as const) {
  test(`3. token: a listen URL at ${name} is refused`, async () => {
    alter.answer = (path, body) => (path === TOKEN ? changed(body, change) : body);
    const agent = site.launch();
    await agent.logged("the listen URL is not at the relay and path pinned at enrolment");
    assert.equal(await agent.stop(), 0);
    assert.doesNotMatch(agent.log(), /control channel online/);
  });
}

test("1. keys: a statement of keys that no pinned key signed is refused, and the pinned ones stay", async () => {
  const thief = await generateKeyPair("ES256");
  const pinned = readFileSync(join(site.state, "pinned.json"), "utf8");
  const statement = { aud: site.orchestrator.origin, seq: 9, iat: 0, keys: [thief.publicJwk] };
  const keys = await signJws("keys", statement, signerOf("ES256", thief));
  alter.answer = (path, body) => (path === TOKEN ? changed(body, (answer) => ({ ...answer, keys })) : body);
  const agent = site.launch();
  await agent.logged("the key statement is not signed by a pinned key");
  assert.equal(await agent.stop(), 0);
  assert.equal(readFileSync(join(site.state, "pinned.json"), "utf8"), pinned);
});

test("3. token: a request that was altered on the way gets no token", async () => {
  alter.request = (path, body) => (path === TOKEN ? changed(body, (report) => ({ ...report, locked: true })) : body);
  const before = site.orchestrator.reports.length;
  const agent = site.launch();
  await agent.logged("token.invalid");
  assert.equal(await agent.stop(), 0);
  assert.equal(site.orchestrator.reports.length, before);
});
