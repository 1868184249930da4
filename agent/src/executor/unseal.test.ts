/** A sealed credential is for the target that the customer sealed it for, whatever a policy's entry says by now. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateSeededKey, receiveExport } from "@sallyport/shared/crypto/envelope.ts";
import { type CredentialText, infoOf, sealCredential } from "@sallyport/shared/crypto/sealed-credential.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { hashLogin } from "../journal/login.ts";
import { parsePolicy } from "../policy/file.ts";
import { judge } from "./judge.ts";
import { openWork } from "./unseal.ts";

const policyText = (line = "") => `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    ${line}
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`;
const NOW = new Date();
const TEXT: CredentialText = {
  ...{ user: "svc", password: "pw ✓", signIn: "sql", kind: "mssql" },
  ...{ host: "sql01.corp.example", port: 1433, database: "ERP", tls: "required" },
};
const OF = { tenant: "contoso", site: "oslo", connection: "erp" };
const unseal = await generateSeededKey();
const LOGIN_KEY = Buffer.alloc(32, 7);

async function open(text: CredentialText, policy = policyText("credential: sealed"), alter = (c: string) => c) {
  const parsed = parsePolicy(policy, NOW);
  const part = await sealCredential(text, OF, toBase64url(unseal.publicKey));
  const request: SessionRequestPayload = {
    ...{ v: 1, id: "0".repeat(32), hello: "h".repeat(43), agent: "a".repeat(32), site: "oslo", tenant: "contoso" },
    ...{ connection: "erp", caller: "key:sp_x", iat: 0, limits: DEFAULT_LIMITS, window: 4 << 20 },
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
    credential: { form: "sealed", ...part, ciphertext: alter(part.ciphertext), grant: "g" },
  };
  const { work, report } = judge(request, parsed, false, LOGIN_KEY, NOW);
  const counted: string[] = [];
  const supervisor = {
    unseal: async ({ enc }: { readonly enc: string }) =>
      Buffer.from(await receiveExport(unseal, Buffer.from(enc, "base64url"), infoOf(OF))),
    countLogin: async (login: string) => void counted.push(login),
  };
  const opened = () => openWork(work, { supervisor, policy: parsed, loginKey: LOGIN_KEY, now: NOW });
  return { report, opened, counted };
}

test("P6.2 it opens to the login that was sealed, which is counted as any other", async () => {
  const { report, opened, counted } = await open(TEXT);
  assert.deepEqual([report.decision, report.sealed, report.login], ["allow", true, undefined]);
  const work = await opened();
  assert.ok(work.do === "serve");
  assert.deepEqual(work.credential, { form: "plain", user: "svc", password: "pw ✓", signIn: "sql" });
  assert.deepEqual(work.asked.sealed, "opened");
  assert.deepEqual(counted, [hashLogin(LOGIN_KEY, "sql01.corp.example:1433", "svc", "sql")]);
});

for (const [field, value] of [
  ["host", "sql02.corp.example"],
  ["port", 1434],
  ["database", "Payroll"],
  ["tls", "trustAnyCertificate"],
  ["kind", "activeDirectory"],
] as const) {
  test(`P6.2 sealed for another ${field} than the policy's entry, it is refused and names the field`, async () => {
    const { opened, counted } = await open({ ...TEXT, [field]: value });
    await assert.rejects(opened(), { code: "credential.target", detail: { fields: [field] } });
    assert.deepEqual(counted, []);
  });
}

test("P6.2 sealed for another login, or sign-in, than the policy lists, it is denied before any is tried", async () => {
  for (const over of [{ user: "sa" }, { signIn: "windowsNtlm" }]) {
    const { opened, counted } = await open({ ...TEXT, ...over });
    await assert.rejects(opened(), { code: "policy.denied" });
    assert.deepEqual(counted, []);
  }
});

test("P6.2 altered, or with a sign-in that is no word of ours, it does not open", async () => {
  const flipped = await open(TEXT, undefined, (text) => (text.startsWith("A") ? "B" : "A") + text.slice(1));
  await assert.rejects(flipped.opened(), { code: "credential.refused" });
  const odd = await open({ ...TEXT, signIn: "magic" });
  await assert.rejects(odd.opened(), { code: "credential.refused" });
});

test("P6.7 where the policy says sealed, a credential in clear is denied, and any is any", async () => {
  const plain = { form: "plain" as const, user: "svc", password: "pw", signIn: "sql" as const };
  const base = {
    ...{ v: 1 as const, id: "0".repeat(32), hello: "h".repeat(43), agent: "a".repeat(32), site: "oslo" },
    ...{ tenant: "contoso", connection: "erp", caller: "key:sp_x", iat: 0, limits: DEFAULT_LIMITS, window: 4 << 20 },
    operation: { op: "sql.table" as const, table: "dbo.Orders", columns: "*" as const, watermark: "none" as const },
    credential: plain,
  };
  for (const [line, decision] of [
    ["credential: sealed", "deny"],
    ["credential: any", "allow"],
    ["", "allow"],
  ] as const) {
    const judged = judge(base, parsePolicy(policyText(line), NOW), false, LOGIN_KEY, NOW);
    assert.equal(judged.report.decision, decision, line);
  }
  assert.throws(() => parsePolicy(policyText("credential: open"), NOW));
});
