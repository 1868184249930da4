import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyClient } from "@azure/keyvault-keys";
import { publicKeyOf, signJws, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { compactVerify, importJWK, type JWK } from "jose";
import { keyVaultSecrets } from "../../secrets/key-vault.ts";
import { APP_RIGHTS, OFFICER_RIGHTS, testVault } from "../../secrets/test-vault.ts";
import { VAULT_CLIENT } from "../../secrets/vault-access.ts";
import { openSigningKey } from "./open.ts";
import { adoptVaultKey, announceVaultKey, readVaultRing, type VaultRingDeps, vaultSigningKey } from "./vault-ring.ts";
import { parseKeyUrl, vaultKeys } from "./vault-signer.ts";

const NAME = "sallyport-signing";
const ORIGIN = "https://pulls.contoso.test";
const now = () => new Date();

async function place(rights = APP_RIGHTS, clock = now) {
  const made = await testVault(rights, { keys: [NAME] });
  const { vault, credential } = made;
  const deps: VaultRingDeps = {
    keys: vaultKeys(vault.url, NAME, credential),
    secrets: keyVaultSecrets(vault.url, credential),
    secret: `${NAME}-ring`,
    now: clock,
  };
  const signs = () => vault.asked.filter(({ path, status }) => path.endsWith("/sign") && status === 200).length;
  return { ...made, deps, signs };
}

const statementOf = async (jws: string, keys: readonly JWK[]) => {
  for (const key of keys) {
    const verified = await compactVerify(jws, await importJWK(key, "ES256")).catch(() => undefined);
    if (verified !== undefined)
      return JSON.parse(Buffer.from(verified.payload).toString()) as { seq: number; keys: JWK[] };
  }
  return assert.fail("no key verifies the statement");
};

describe("signing by a key in a vault", () => {
  it("what jose verifies, and our own check too; the private part is in no answer", async () => {
    const { vault, credential } = await place();
    const key = await openSigningKey(`${vault.url}/keys/${NAME}`, credential, now);
    const jws = await signJws("request", { a: 1 }, key.signer);
    const { protectedHeader, payload } = await compactVerify(jws, await importJWK(key.keys[0]!, "ES256"));
    assert.deepEqual(protectedHeader, { alg: "ES256", typ: "sallyport-request+jws", kid: key.signer.kid });
    assert.equal(Buffer.from(payload).toString(), '{"a":1}');
    const verified = await verifyJws(jws, { purpose: "request", alg: "ES256" }, (kid) =>
      kid === key.signer.kid ? publicKeyOf(key.keys[0]!) : undefined,
    );
    assert.ok(verified.ok);
    assert.deepEqual(Object.keys(key.keys[0]!).sort(), ["crv", "kty", "x", "y"]);
    const { key: shown, properties } = await new KeyClient(vault.url, credential, VAULT_CLIENT).getKey(NAME);
    assert.ok(shown?.d === undefined && properties.exportable === false);
  });

  it("each request costs a call, a statement of the keys one in ten minutes and for each origin", async () => {
    let at = Date.now();
    const { deps, signs } = await place(APP_RIGHTS, () => new Date(at));
    const key = await vaultSigningKey(deps);
    for (let index = 0; index < 3; index++) await signJws("request", {}, key.signer);
    assert.equal(signs(), 3);
    const first = await key.statement(ORIGIN);
    assert.deepEqual([await key.statement(ORIGIN), signs()], [first, 4]);
    await key.statement("https://other.test");
    at += 10 * 60_000;
    assert.notEqual(await key.statement(ORIGIN), first);
    assert.equal(signs(), 6);
  });

  it("a statement that failed is not kept", async () => {
    const { deps, vault } = await place();
    const key = await vaultSigningKey(deps);
    vault.refuseNext({ path: /\/sign$/, status: 403, code: "Forbidden" });
    await assert.rejects(key.statement(ORIGIN), {
      code: "secrets.unavailable",
      detail: { status: 403, code: "Forbidden" },
    });
    assert.equal((await statementOf(await key.statement(ORIGIN), key.keys)).seq, 1);
  });

  it("is tried again when the vault is busy", async () => {
    const { deps, vault } = await place();
    const key = await vaultSigningKey(deps);
    vault.refuseNext({ path: /\/sign$/, status: 429, times: 2, retryAfterSeconds: 0 });
    assert.ok(await signJws("request", {}, key.signer));
  });

  it("needs a key that is there, on P-256, and may sign", async () => {
    const { vault, credential } = await place();
    const open = (name: string) => openSigningKey(`${vault.url}/keys/${name}`, credential, now);
    await assert.rejects(open("absent"), { code: "secrets.unavailable", detail: { status: 404, code: "KeyNotFound" } });
    vault.keys.add("verifies", { ...vault.keys.find(NAME, undefined).value, operations: ["verify"] });
    await assert.rejects(open("verifies"), {
      code: "settings.invalid",
      detail: { settings: ["SALLYPORT_SIGNING_KEY"] },
    });
    vault.keys.add("module", { ...vault.keys.find(NAME, undefined).value, kty: "EC-HSM" });
    assert.equal((await open("module")).keys[0]!.kty, "EC");
    vault.keys.find(NAME, undefined).enabled = false;
    await assert.rejects(open(NAME), { code: "settings.invalid" });
  });

  it("is named without a version, by https only", () => {
    assert.deepEqual(parseKeyUrl("https://kv.test/keys/a-1"), { vault: "https://kv.test", name: "a-1" });
    for (const wrong of [
      "http://kv.test/keys/a",
      "https://kv.test/keys/a/b",
      "https://kv.test/keys/a?b",
      "https://u@kv.test/keys/a",
      "kv",
    ])
      assert.equal(parseKeyUrl(wrong), undefined);
  });
});

describe("the signing key's rotation in a vault", () => {
  it("announces a version and adopts it; agents of before find their way by the chain", async () => {
    const { deps } = await place(OFFICER_RIGHTS);
    const before = await vaultSigningKey(deps);
    await announceVaultKey(deps, ORIGIN);
    await assert.rejects(announceVaultKey(deps, ORIGIN), { code: "api.conflict" });
    const between = await vaultSigningKey(deps);
    assert.deepEqual([between.signer.kid, between.keys.length, between.seq], [before.signer.kid, 2, 2]);
    await adoptVaultKey(deps, ORIGIN);
    await assert.rejects(adoptVaultKey(deps, ORIGIN), { code: "api.conflict" });
    const after = await vaultSigningKey(deps);
    assert.notEqual(after.signer.kid, before.signer.kid);
    assert.deepEqual([after.keys, after.seq], [[between.keys[1]], 3]);
    // As an agent does that saw only the first set: each step is signed by a key of the set before it.
    let known = before.keys;
    for (const step of after.chainSince(1)) known = (await statementOf(step, known)).keys;
    assert.deepEqual(known, after.keys);
    assert.deepEqual((await statementOf(await after.statement(ORIGIN), known)).keys, after.keys);
  });

  it("a version that somebody makes by hand changes nothing", async () => {
    const { deps } = await place(OFFICER_RIGHTS);
    const { signer } = await vaultSigningKey(deps);
    await deps.keys.create();
    assert.equal((await vaultSigningKey(deps)).signer.kid, signer.kid);
  });

  it("is not the app's to do", async () => {
    const { deps } = await place();
    await assert.rejects(announceVaultKey(deps, ORIGIN), {
      code: "secrets.unavailable",
      detail: { status: 403, code: "Forbidden" },
    });
    assert.equal((await readVaultRing(deps)).next, null);
  });

  it("a damaged ring stops the start, naming the setting", async () => {
    const { deps } = await place();
    await deps.secrets.put(deps.secret, '{"v":1}');
    await assert.rejects(vaultSigningKey(deps), {
      code: "settings.invalid",
      detail: { settings: ["SALLYPORT_SIGNING_KEY"] },
    });
  });
});
