/** A credential that the customer sealed, from the command line to the row; led elsewhere it signs nobody in. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type AgentKey, signUnsealKey } from "@sallyport/shared/crypto/agent-key.ts";
import { generateSeededKey } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import type { SealedPart } from "@sallyport/shared/crypto/sealed-part.ts";
import { signGrant } from "@sallyport/shared/protocol/grant.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import type { SealedFile } from "@sallyport/shared/schema/api.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const PASSWORD = " Sealed-1 of this test";
let site: Site;
let agent: RunningAgent;
let tds: Tds;
let fingerprint = "";

/** The owner's policy, with another entry where a test says so. */
function setPolicy(
  over: { host?: string; database?: string; tls?: string; credential?: string; logins?: string; failed?: string } = {},
) {
  const {
    host = `localhost:${tds.port}`,
    database = "ERP",
    tls = "required",
    credential = "sealed",
    logins = "svc",
    failed = "2/1h",
  } = over;
  const entry = `
    kind: mssql
    address: ${host}
    database: ${database}
    tls: { mode: ${tls}, ca: sql-ca.pem }
    logins: [${logins}]
    credential: ${credential}
    limits: { failedLogins: ${failed} }
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }`;
  site.setPolicy(`v: 1\nlimits: { sessionsPerMinute: 600 }\nconnections:\n  erp:${entry}\n  crm:${entry}\n`);
}

before(async () => {
  const authority = await makeAuthority();
  tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: "read" }],
    databases: ["ERP"],
  });
  await tds.sql("CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY)");
  await tds.sql("INSERT INTO dbo.Orders (Id) VALUES (1), (2), (3)");
  site = await startSite();
  const enrolled = await site.enroll(site.orchestrator.code());
  assert.equal(enrolled.code, 0, enrolled.stderr);
  fingerprint = (JSON.parse(enrolled.stdout) as { agentFingerprint: string }).agentFingerprint;
  writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
  setPolicy();
  agent = await site.start();
});
after(async () => {
  await agent?.stop();
  await site.close();
  await tds.close();
});

let files = 0;
async function seal(options: readonly string[], password = PASSWORD) {
  const out = join(site.state, `sealed-${files++}.json`);
  const args = ["credential", "seal", "--json", "--state", site.state, "--out", out, "--connection", "erp"];
  const run = await site.cli([...args, ...options], `${password}\n`);
  return { ...run, out, file: existsSync(out) ? (JSON.parse(readFileSync(out, "utf8")) as SealedFile) : undefined };
}

async function sealed(options: readonly string[] = [], password = PASSWORD): Promise<SealedPart> {
  const { code, stdout, stderr, file } = await seal(["--agent", fingerprint, ...options], password);
  assert.equal(code, 0, stderr + stdout);
  return file!.parts[0]!;
}

async function open(): Promise<Sender> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  return dialled.sender;
}

/** One session with it; how it ended. */
async function serve(
  part: SealedPart,
  over: Partial<SessionRequestPayload> = {},
  grantFor: { kid?: string; connection?: string } = {},
) {
  const sender = await open();
  const connection = grantFor.connection ?? over.connection ?? "erp";
  const granted = { hello: sender.hello.hash, connection, kid: grantFor.kid ?? part.kid, enc: part.enc };
  const grant = await signGrant(granted, site.orchestrator.signer);
  const id = randomBytes(16).toString("hex");
  await sender.request({
    ...{ id, connection: "erp", caller: "pull:orders", pull: "orders" },
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
    credential: { form: "sealed", ...part, grant },
    ...over,
  });
  const last = (await sender.messages()).at(-1)!;
  await site.journaled(({ event, request }) => event === "end" && request === id);
  const journal = site.journal().filter(({ request }) => request === id);
  return {
    last,
    events: journal.map(({ event }) => event),
    journal,
    code: last.kind === "error" ? last.body.code : undefined,
  };
}

/** Until the running agent has the policy that was written. */
async function policyTaken(change: Parameters<typeof setPolicy>[0]): Promise<void> {
  const before = site.journal().filter(({ event }) => event === "policy").length;
  setPolicy(change);
  await site.journaled(() => site.journal().filter(({ event }) => event === "policy").length > before);
}

test("P6.2 P6.4 sealed at the prompt, served: rows come, and the journal has an unseal before the end", async () => {
  const part = await sealed();
  const { last, events, journal } = await serve(part);
  assert.equal(last.kind, "end", JSON.stringify(last));
  assert.equal(last.kind === "end" && last.body.rows, 3);
  assert.deepEqual(events, ["request", "unseal", "end"]);
  assert.doesNotMatch(JSON.stringify(journal), /Sealed-1/);
});

test("the file that is written holds no password, is its owner's, and is never written over another", async () => {
  const { out, stdout } = await seal(["--agent", fingerprint]);
  const text = readFileSync(out, "utf8");
  assert.doesNotMatch(text + stdout, /Sealed-1|svc"?,"?password/);
  const again = await site.cli(
    ["credential", "seal", "--state", site.state, "--out", out, "--connection", "erp", "--agent", fingerprint],
    "x\n",
  );
  assert.equal(again.code, 78);
  assert.equal(readFileSync(out, "utf8"), text);
});

test("P6.1 only a key whose fingerprint was read, or whose file was copied from its agent, is sealed to", async () => {
  const [stranger, unseal] = [await generateKeyPair("EdDSA"), await generateSeededKey()];
  const said = { agent: "b".repeat(32), tenant: "contoso", site: "oslo", iat: 1 };
  const key = Buffer.from(unseal.publicKey).toString("base64url");
  const offered: AgentKey = {
    v: 1,
    identity: stranger.publicJwk as AgentKey["identity"],
    unseal: await signUnsealKey({ ...said, key }, signerOf("EdDSA", stranger)),
  };
  const list = join(site.state, "offered.json");
  writeFileSync(list, JSON.stringify([offered, offered]));
  const own = await site.cli(["keys", "show", "--state", site.state, "--json"]);
  const ownKey = JSON.parse(own.stdout) as AgentKey;
  const foreign = join(site.state, "foreign.json");
  // The stranger's unseal key under this agent's identity: what an orchestrator that wants the password would offer.
  writeFileSync(foreign, JSON.stringify({ ...ownKey, unseal: offered.unseal }));
  const elsewhere = join(site.state, "elsewhere.json");
  const moved = await signUnsealKey({ ...said, site: "bergen", key }, signerOf("EdDSA", stranger));
  writeFileSync(elsewhere, JSON.stringify({ ...offered, unseal: moved }));
  for (const options of [
    ["--agent", `SHA256:${"A".repeat(43)}`],
    ["--agent", `SHA256:${stranger.kid}`],
    ["--agent", list],
    ["--agent", foreign],
    ["--agent", join(site.state, "agent.yaml")],
    ["--agent", fingerprint, elsewhere],
  ]) {
    const { code, stdout, file } = await seal(options);
    assert.equal(code, 77, options.join(" "));
    const refused = (JSON.parse(stdout) as { error: { code: string } }).error;
    assert.equal(refused.code, "credential.key_unknown");
    assert.equal(file, undefined);
  }
  const both = await seal(["--agent", fingerprint, `SHA256:${stranger.kid}`, "--keys", list]);
  assert.equal(both.code, 0, both.stdout + both.stderr);
  assert.equal(new Set(both.file?.parts.map(({ kid }) => kid)).size, 2);
  const copied = join(site.state, "own.key.json");
  assert.equal((await site.cli(["keys", "show", "--state", site.state, "--out", copied])).code, 0);
  assert.equal((await seal(["--agent", copied])).code, 0);
});

test("a password on the command line is refused, and one that the policy could never take is not sealed", async () => {
  const given = await seal(["--agent", fingerprint, "--password", "hunter2"]);
  assert.equal(given.code, 64);
  assert.doesNotMatch(given.stdout + given.stderr, /hunter2/);
  for (const options of [
    ["--login", "sa"],
    ["--sign-in", "windowsNtlm"],
    ["--connection", "nowhere"],
  ]) {
    const { code, file } = await seal(["--agent", fingerprint, ...options]);
    assert.deepEqual([code, file], [64, undefined], options.join(" "));
  }
  assert.equal((await seal(["--agent", fingerprint], "")).code, 64);
});

test("P6.2 sealed for another host, port, database or TLS than the policy now says, it is refused", async () => {
  const failed = "9/1h";
  const part = await sealed();
  for (const [what, change] of [
    ["host", { host: `127.0.0.1:${tds.port}` }],
    ["port", { host: "localhost:1" }],
    ["database", { database: "Payroll" }],
    ["tls", { tls: "strict" }],
  ] as const) {
    await policyTaken({ failed, ...change });
    const { last, code, events } = await serve(part);
    assert.equal(code, "credential.target", what);
    assert.deepEqual(last.kind === "error" && last.body.detail.fields, [what]);
    assert.deepEqual(events, ["request", "unseal", "login", "end"], "a key went out, so a try is counted");
  }
  await policyTaken({ logins: "other" });
  assert.equal((await serve(part)).code, "policy.denied");
  await policyTaken({});
  assert.equal((await serve(part)).code, "limit.logins");
  await policyTaken({ failed });
  assert.equal((await serve(part)).last.kind, "end");
  await policyTaken({});
});

test("P6.3 P6.5 for another connection, or to another agent, it does not open", async () => {
  const part = await sealed();
  assert.equal((await serve(part, { connection: "crm" })).code, "credential.refused");
  assert.equal((await serve(part, { connection: "crm" }, { connection: "erp" })).code, "credential.refused");
  // Both lead to one server, and the login is one account of it: what was tried at one was tried at the other.
  assert.equal((await serve(part, { connection: "crm" })).code, "credential.refused");
  assert.equal((await serve(part)).code, "limit.logins");
  await policyTaken({ failed: "9/1h" });
  assert.equal((await serve(part)).last.kind, "end");
  await policyTaken({});
  const other = await serve({ ...part, kid: "k".repeat(43) });
  assert.equal(other.code, "credential.not_sealed");
  assert.equal(other.journal.find(({ event }) => event === "unseal")?.decision, "deny");
});

test("P6.7 a credential in clear is denied where the policy wants it sealed", async () => {
  const plain = { form: "plain" as const, user: "svc", password: PASSWORD, signIn: "sql" as const };
  assert.equal((await serve(await sealed(), { credential: plain })).code, "policy.denied");
});

test("a wrong password that was sealed counts as any other: after two the breaker is open", async () => {
  const wrong = await sealed([], "wrong");
  assert.equal((await serve(wrong)).code, "connection.login_failed");
  assert.equal((await serve(wrong)).code, "connection.login_failed");
  assert.equal((await serve(wrong)).code, "limit.logins");
  assert.equal((await serve(await sealed())).code, "limit.logins", "the login, not the blob, is counted");
});
