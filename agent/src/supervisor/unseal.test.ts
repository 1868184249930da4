/** The supervisor's part in a sealed credential, against an executor and an orchestrator that ask for what is not theirs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { type CredentialText, openCredential, sealCredential } from "@sallyport/shared/crypto/sealed-credential.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { signGrant } from "@sallyport/shared/protocol/grant.ts";
import type { RequestReport, ToSupervisor, UnsealReport } from "../pipe/messages.ts";
import {
  begin,
  broken,
  counted,
  END,
  KEY,
  lines,
  loginOf,
  OFFER,
  orchestrator,
  REQUEST,
  unsealKey,
} from "./test-session.ts";

const TEXT: CredentialText = {
  ...{ user: "svc", password: "pw", signIn: "sql", kind: "mssql" },
  ...{ host: "sql01", port: 1433, database: "ERP", tls: "required" },
};
const OF = { tenant: "contoso", site: "oslo", connection: "erp" };
const { login: _login, ...unnamed } = REQUEST;
const SEALED: RequestReport = { ...unnamed, sealed: true };

interface Over {
  readonly hello?: Uint8Array;
  readonly by?: typeof orchestrator;
  readonly sealed?: Partial<typeof OF>;
  /** What the supervisor heard of the request, and answered. */
  readonly request?: RequestReport;
  readonly answer?: "go" | "refuse";
  readonly ping?: boolean;
  /** Another signature where the grant should be. */
  readonly purpose?: "request";
}

/** A session whose request was let through, and what its executor asks for as it should. */
async function asked(over: Over = {}) {
  const run = begin(over.ping === true ? { ...OFFER, ping: true } : OFFER);
  await run.told("session");
  run.say(KEY);
  await run.told("hello");
  const record = run.heard.find((each) => each.say === "hello")?.record ?? "";
  run.say(over.request ?? SEALED);
  if (over.answer !== undefined || over.request === undefined) await run.told(over.answer ?? "go");
  const part = await sealCredential(TEXT, { ...OF, ...over.sealed }, toBase64url(unsealKey.publicKey));
  const { ciphertext, ...sealed } = part;
  const hello = over.hello ?? sha256(Buffer.from(record, "base64url"));
  const signer = signerOf("ES256", over.by ?? orchestrator);
  const granted = await signGrant({ hello, connection: "erp", ...sealed }, signer);
  const claims = JSON.parse(Buffer.from(granted.split(".")[1] ?? "", "base64url").toString()) as object;
  const grant = over.purpose === undefined ? granted : await signJws(over.purpose, claims, signer);
  const unseal: UnsealReport = { say: "unseal", connection: "erp", ...sealed, grant };
  return { ...run, unseal, part };
}

test("P6.4 P6.6 a key for what is sealed, once, after its line; then the login is counted", async () => {
  const { say, told, heard, unseal, part, exit, session } = await asked();
  say(unseal);
  await told("unsealed");
  const key = heard.find((each) => each.say === "unsealed")?.key ?? "";
  assert.deepEqual(openCredential(Buffer.from(key, "base64url"), part), TEXT);
  const line = lines.at(-1);
  assert.deepEqual([line?.event, line?.connection, line?.decision], ["unseal", "erp", "allow"]);
  assert.equal(line?.kid, unsealKid(toBase64url(unsealKey.publicKey)));
  assert.doesNotMatch(JSON.stringify(lines), new RegExp(key));
  say({ say: "login", login: loginOf("svc") });
  await told("counted");
  assert.deepEqual(counted, ["begun", `login ${loginOf("svc")}`]);
  say({ say: "accepted" }, END);
  exit(0);
  await session.ended;
  assert.deepEqual(counted.slice(2), ["accepted", "released 700"]);
});

for (const [what, change, over] of [
  ["for another connection than its journal line names", { connection: "crm" }, {}],
  ["to be of another key than this agent's", { kid: "k".repeat(43) }, {}],
  ["with a grant for another session's hello", {}, { hello: randomBytes(32) }],
  ["with a grant for another encapsulated secret", { enc: "A".repeat(1494) }, {}],
  ["with a grant that is none", { grant: "a.b.c" }, {}],
] as const) {
  test(`P6.5 asked ${what}, the supervisor gives no key and says so in the journal`, async () => {
    const { say, told, heard, unseal } = await asked(over);
    say({ ...unseal, ...change });
    await told("refuse");
    const code = "kid" in change ? "credential.not_sealed" : "credential.refused";
    const refused = heard.at(-1);
    assert.equal(refused?.say === "refuse" && refused.code, code);
    assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.decision, lines.at(-1)?.code], ["unseal", "deny", code]);
    assert.ok(!heard.some((each) => each.say === "unsealed"));
  });
}

test("P6.5 a grant by a key that is not pinned, or for another purpose, is refused", async () => {
  for (const over of [{ by: await generateKeyPair("ES256") }, { purpose: "request" }] as const) {
    const { say, told, heard, unseal, exit, session } = await asked(over);
    say(unseal);
    await told("refuse");
    assert.ok(!heard.some((each) => each.say === "unsealed"));
    exit(0);
    await session.ended;
  }
});

const DENIED = { ...SEALED, decision: "deny", code: "policy.denied", bytes: undefined } as const;
for (const [what, over] of [
  ["was denied", { request: DENIED }],
  ["was denied in a ping's session", { request: DENIED, ping: true }],
  ["is a ping", { request: { ...DENIED, op: "agent.ping", decision: "allow", connection: undefined }, ping: true }],
] as const) {
  test(`P6.6 a request that ${what} and brings a sealed credential is implausible, and gets no key`, async () => {
    const { say, heard, unseal, session } = await asked(over);
    say(unseal);
    await session.ended;
    assert.equal(lines.at(-1)?.code, "executor.crashed");
    assert.ok(!heard.some((each) => each.say === "unsealed"));
  });
}

test("P6.6 what the supervisor refused gets no key: too many logins or sessions", async () => {
  for (const code of ["limit.logins", "limit.sessions"] as const) {
    broken.budgets(new SallyportError(code, "too many"));
    const { say, heard, unseal, session } = await asked({ request: SEALED, answer: "refuse" });
    say(unseal);
    await session.ended;
    assert.deepEqual([lines.at(-2)?.code, lines.at(-1)?.code], [code, "executor.crashed"]);
    assert.ok(!heard.some((each) => each.say === "unsealed"));
  }
});

test("P6.6 a session that was stopped gets no key, and its journal says why", async () => {
  const { say, told, heard, unseal, session } = await asked();
  session.stop("agent.locked", "The agent's owner locked it.");
  say(unseal);
  await told("refuse");
  assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.code], ["unseal", "agent.locked"]);
  assert.ok(!heard.some((each) => each.say === "unsealed"));
});

for (const [what, messages] of [
  ["no login", []],
  ["no login, and that none was sent", [{ ...END, unsent: true }]],
  ["no login, and that it was taken", [{ say: "accepted" }, END]],
  ["a login that the policy does not list", [{ say: "login", login: "L".repeat(43) }, END]],
] as const) {
  test(`P6.6 a key went out and the executor says ${what}: every login of the policy is charged`, async () => {
    const { say, told, unseal, exit, session } = await asked();
    say(unseal);
    await told("unsealed");
    say(...(messages as readonly ToSupervisor[]));
    exit(0);
    await session.ended;
    const charged = counted.filter((each) => each.startsWith("login ")).slice(-2);
    assert.deepEqual(charged, [`login ${loginOf("svc")}`, `login ${loginOf("batch")}`]);
    const own = lines.filter(({ event }) => event === "login").map(({ login }) => login);
    assert.deepEqual(own.slice(-2), ["svc", "batch"]);
    assert.equal(lines.at(-1)?.event, "end");
    assert.match(counted.at(-1) ?? "", /^released/);
  });
}

test("P6.3 what was sealed for another site opens with another key: nothing", async () => {
  const { say, told, heard, unseal, part } = await asked({ sealed: { site: "bergen" } });
  say(unseal);
  await told("unsealed");
  const key = heard.find((each) => each.say === "unsealed")?.key ?? "";
  assert.equal(openCredential(Buffer.from(key, "base64url"), part), undefined);
});

test("P6.6 a second time, or without a sealed request, the executor is killed", async () => {
  const twice = await asked();
  twice.say(twice.unseal);
  await twice.told("unsealed");
  twice.say(twice.unseal);
  await twice.session.ended;
  assert.equal(lines.at(-1)?.code, "executor.crashed");

  const plain = begin();
  plain.say(KEY, REQUEST, twice.unseal);
  await plain.session.ended;
  assert.equal(lines.at(-1)?.code, "executor.crashed");
  assert.ok(!plain.heard.some((each) => each.say === "unsealed"));
});

test("P6.6 a journal that cannot be written gives no key", async () => {
  const { say, told, heard, unseal } = await asked();
  broken.journal();
  say(unseal);
  await told("refuse");
  const refused = heard.at(-1);
  assert.equal(refused?.say === "refuse" && refused.code, "agent.journal_unwritable");
});

test("a request that names its login and brings a sealed credential, or neither, is implausible", async () => {
  for (const request of [{ ...REQUEST, sealed: true as const }, unnamed]) {
    const { session, say } = begin();
    say(KEY, request);
    await session.ended;
    assert.equal(lines.at(-1)?.code, "executor.crashed");
  }
});
