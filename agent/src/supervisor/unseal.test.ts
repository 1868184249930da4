/** The supervisor's part in a sealed credential, against an executor and an orchestrator that ask for what is not theirs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { type CredentialText, openCredential, sealCredential } from "@sallyport/shared/crypto/sealed-credential.ts";
import { signGrant } from "@sallyport/shared/protocol/grant.ts";
import type { RequestReport, UnsealReport } from "../pipe/messages.ts";
import { begin, broken, counted, END, KEY, lines, orchestrator, REQUEST, unsealKey } from "./test-session.ts";

const TEXT: CredentialText = {
  ...{ user: "svc", password: "pw", signIn: "sql", kind: "mssql" },
  ...{ host: "sql01", port: 1433, database: "ERP", tls: "required" },
};
const OF = { tenant: "contoso", site: "oslo", connection: "erp" };
const { login: _login, ...unnamed } = REQUEST;
const SEALED: RequestReport = { ...unnamed, sealed: true };

/** A session whose request was let through, and what its executor asks for as it should. */
async function asked(over: { hello?: Uint8Array; by?: typeof orchestrator; sealed?: Partial<typeof OF> } = {}) {
  const run = begin();
  await run.told("session");
  run.say(KEY);
  await run.told("hello");
  const record = run.heard.find((each) => each.say === "hello")?.record ?? "";
  run.say(SEALED);
  await run.told("go");
  const part = await sealCredential(TEXT, { ...OF, ...over.sealed }, toBase64url(unsealKey.publicKey));
  const { ciphertext, ...sealed } = part;
  const hello = over.hello ?? sha256(Buffer.from(record, "base64url"));
  const grant = await signGrant({ hello, connection: "erp", ...sealed }, signerOf("ES256", over.by ?? orchestrator));
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
  say({ say: "login", login: "L".repeat(43) });
  await told("counted");
  assert.deepEqual(counted, ["begun", "login"]);
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
  const by = await generateKeyPair("ES256");
  const { say, told, heard, unseal } = await asked({ by });
  say(unseal);
  await told("refuse");
  assert.ok(!heard.some((each) => each.say === "unsealed"));
});

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
