import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { credentialName, getCredential, putCredential } from "./credentials.ts";
import { localSecrets } from "./local.ts";

async function place(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-secrets-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "secrets.json");
  const key = randomBytes(32);
  return { folder, path, key, secrets: localSecrets(path, key, randomBytes) };
}

test("a secret is read back by name and by version, also by another process", async (t) => {
  const { path, key, secrets } = await place(t);
  assert.equal(await secrets.get("a"), undefined);
  const first = await secrets.put("a", "one");
  const second = await secrets.put("a", "zwei ä");
  assert.notEqual(first, second);
  const other = localSecrets(path, key, randomBytes);
  assert.deepEqual(await other.get("a"), { value: "zwei ä", version: second });
  assert.deepEqual(await other.get("a", first), { value: "one", version: first });
  assert.equal(await other.get("a", "0".repeat(32)), undefined);
  assert.equal(await other.get("constructor"), undefined);
});

test("the file holds no plaintext, only its owner may read it, and nothing else is left", async (t) => {
  const { folder, path, secrets } = await place(t);
  await Promise.all(Array.from({ length: 8 }, (_, index) => secrets.put(`name-${index}`, `hunter2-${index}`)));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(folder), ["secrets.json"]);
  const text = await readFile(path, "utf8");
  assert.equal(text.includes("hunter2"), false);
  assert.equal((await secrets.get("name-7"))?.value, "hunter2-7");
  assert.equal((await secrets.get("name-0"))?.value, "hunter2-0");
});

test("only the newest ten versions are kept", async (t) => {
  const { secrets } = await place(t);
  const versions: string[] = [];
  for (let index = 0; index < 11; index++) versions.push(await secrets.put("a", String(index)));
  assert.equal(await secrets.get("a", versions[0]), undefined);
  assert.equal((await secrets.get("a", versions[1]))?.value, "1");
});

test("another key, a swapped, renamed or altered entry, and a damaged file do not open", async (t) => {
  const { path, key, secrets } = await place(t);
  await secrets.put("a", "one");
  await secrets.put("b", "two");
  const good = JSON.parse(await readFile(path, "utf8"));
  const closed = { code: "secrets.unavailable" };
  await assert.rejects(localSecrets(path, randomBytes(32), randomBytes).get("a"), closed);
  const refuses = async (secretsOf: object) => {
    await writeFile(path, JSON.stringify({ ...good, secrets: secretsOf }));
    await assert.rejects(localSecrets(path, key, randomBytes).get("a"), closed);
  };
  const [a] = good.secrets.a;
  const [b] = good.secrets.b;
  await refuses({ a: [b] });
  await refuses({ a: [{ ...a, version: b.version }] });
  const flipped = Buffer.from(a.sealed, "base64url");
  flipped[0]! ^= 1;
  await refuses({ a: [{ ...a, sealed: flipped.toString("base64url") }] });
  await refuses({ a: [{ ...a, sealed: "" }] });
  await refuses({ a: [{ ...a, more: 1 }] });
  await writeFile(path, "{");
  await assert.rejects(secrets.get("a"), closed);
  assert.throws(() => localSecrets(path, randomBytes(16), randomBytes), RangeError);
  await assert.rejects(secrets.get("a/b"), RangeError);
});

test("a connection's credential has a name of its own", async (t) => {
  const { secrets } = await place(t);
  assert.notEqual(credentialName("a", "b-c"), credentialName("a-b", "c"));
  await assert.rejects(getCredential(secrets, "acme", "erp", null), { code: "secrets.unavailable" });
  const credential = { form: "plain" as const, user: "reader", password: "pässword", signIn: "sql" as const };
  const version = await putCredential(secrets, "acme", "erp", credential);
  assert.match(version, /^[0-9a-f]{32}$/);
  assert.deepEqual(await getCredential(secrets, "acme", "erp", version), credential);
  // Whatever lies under the name: a connection that was made again has none until one was stored for it.
  const none = { code: "secrets.unavailable" };
  await assert.rejects(getCredential(secrets, "acme", "erp", null), none);
  await assert.rejects(getCredential(secrets, "acme", "erp", "0".repeat(32)), none);
});

test("a secret that is removed is gone with all its versions, and nothing else is", async (t) => {
  const { path, secrets } = await place(t);
  const first = await secrets.put("a", "one");
  await secrets.put("a", "two");
  await secrets.put("b", "stays");
  await Promise.all([secrets.remove("a"), secrets.remove("never")]);
  assert.deepEqual([await secrets.get("a"), await secrets.get("a", first)], [undefined, undefined]);
  assert.equal((await secrets.get("b"))?.value, "stays");
  assert.doesNotMatch(await readFile(path, "utf8"), /"a"/);
});
