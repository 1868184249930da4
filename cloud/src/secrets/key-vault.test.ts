import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { SecretClient } from "@azure/keyvault-secrets";
import { keyVaultSecrets } from "./key-vault.ts";
import { openSecrets, settingOrSecret } from "./open.ts";
import { APP_RIGHTS, testVault } from "./test-vault.ts";
import { VAULT_CLIENT, vaultCredential } from "./vault-access.ts";

const { vault, credential, scopes } = await testVault();
const secrets = keyVaultSecrets(vault.url, credential);

test("a secret is read back by name and by version, and one that is not there is undefined", async () => {
  assert.equal(await secrets.get("absent"), undefined);
  const first = await secrets.put("a", "one");
  const second = await secrets.put("a", "zwei ä");
  assert.match(first, /^[0-9a-f]{32}$/);
  assert.deepEqual(await secrets.get("a"), { value: "zwei ä", version: second });
  assert.deepEqual(await secrets.get("a", first), { value: "one", version: first });
  assert.equal(await secrets.get("a", "0".repeat(32)), undefined);
});

test("the first call is answered with a challenge, and a token is asked for Key Vault only", async () => {
  const mine = await testVault();
  const own = keyVaultSecrets(mine.vault.url, mine.credential);
  await own.put("a", "b");
  await own.get("a");
  assert.deepEqual(
    mine.vault.asked.map(({ method, status }) => `${method} ${status}`),
    ["PUT 401", "PUT 200", "GET 200"],
  );
  assert.deepEqual([...new Set([...scopes, ...mine.scopes])], ["https://vault.azure.net/.default"]);
});

test("what answers in a vault's place gets no token for anything else", async () => {
  const asked = vaultCredential(credential);
  for (const scope of [
    "https://management.azure.com/.default",
    "https://storage.azure.com/.default",
    "https://vault.azure.net.evil.test/.default",
  ])
    await assert.rejects(asked.getToken([scope]), { code: "secrets.unavailable" });
  await assert.rejects(asked.getToken(["https://vault.azure.net/.default", "https://graph.microsoft.com/.default"]), {
    code: "secrets.unavailable",
  });
  assert.ok(await asked.getToken("https://vault.azure.net/.default", { tenantId: "of-the-challenge" }));
});

test("what was removed is away, and its name can be used again", async () => {
  await secrets.put("hook", "one");
  await secrets.remove("hook");
  assert.equal(await secrets.get("hook"), undefined);
  await secrets.remove("hook");
  await secrets.remove("never-there");
  const version = await secrets.put("hook", "two");
  assert.deepEqual(await secrets.get("hook"), { value: "two", version });
});

test("a vault that is busy is asked again when it says", async () => {
  await secrets.put("busy", "x");
  vault.refuseNext({ path: /^\/secrets\/busy/, status: 429, times: 2, retryAfterSeconds: 0 });
  assert.equal((await secrets.get("busy"))?.value, "x");
});

test("a vault that stays busy, and one that does not allow it, are secrets.unavailable with the status and without a value", async () => {
  vault.refuseNext({ path: /^\/secrets\/jam/, status: 429, times: 9, retryAfterSeconds: 0 });
  await assert.rejects(secrets.put("jam", "mark-4711"), (thrown: Error & { detail?: unknown }) => {
    assert.deepEqual(thrown.detail, { secret: "jam", status: 429, code: "Throttled" });
    assert.ok(!JSON.stringify([thrown.message, thrown.detail]).includes("4711"));
    return true;
  });
  const denied = await testVault(APP_RIGHTS.filter((right) => right !== "secrets/getSecret/action"));
  await assert.rejects(keyVaultSecrets(denied.vault.url, denied.credential).get("a"), {
    code: "secrets.unavailable",
    message: /role assigned/,
    detail: { secret: "a", status: 403, code: "Forbidden" },
  });
});

test("a disabled version is not given out", async () => {
  await secrets.put("off", "x");
  vault.secrets.find("off", undefined).enabled = false;
  await assert.rejects(secrets.get("off"), {
    code: "secrets.unavailable",
    detail: { secret: "off", status: 403, code: "Forbidden" },
  });
});

test("names and sizes have Key Vault's limits", async () => {
  for (const name of ["a/b", "", "a".repeat(128), "ä"]) await assert.rejects(secrets.get(name), RangeError);
  await assert.rejects(secrets.put("large", "x".repeat(25_601)), RangeError);
  assert.ok(await secrets.put("large", "x".repeat(25_600)));
});

test("the setting's shape says where secrets are", async () => {
  const store = await openSecrets({ SALLYPORT_SECRETS: vault.url }, credential, randomBytes);
  await store.put("listen", "Endpoint=sb://x/;SharedAccessKeyName=listen;SharedAccessKey=k");
  const address = `${vault.url}/secrets/listen`;
  assert.match(await settingOrSecret("SALLYPORT_RELAY_LISTEN", address, credential), /^Endpoint=sb/);
  assert.equal(await settingOrSecret("A", "Endpoint=sb://y/", credential), "Endpoint=sb://y/");
  await assert.rejects(settingOrSecret("SALLYPORT_RELAY_LISTEN", `${address}-none`, credential), {
    code: "settings.invalid",
    detail: { settings: ["SALLYPORT_RELAY_LISTEN"] },
  });
  await assert.rejects(
    openSecrets({ SALLYPORT_SECRETS: "/nowhere", SALLYPORT_SECRETS_KEY: "/nowhere" }, credential, randomBytes),
    {
      code: "settings.invalid",
      detail: { settings: ["SALLYPORT_SECRETS_KEY"] },
    },
  );
});

test("the vault itself: api-versions, limits, soft delete and purge protection, as its own client sees them", async () => {
  const client = new SecretClient(vault.url, credential, VAULT_CLIENT);
  await client.setSecret("soft", "x");
  await (await client.beginDeleteSecret("soft")).pollUntilDone();
  await assert.rejects(client.setSecret("soft", "y"), { statusCode: 409, code: "Conflict" });
  assert.equal((await client.getDeletedSecret("soft")).name, "soft");
  await assert.rejects(client.setSecret("big", "x".repeat(25_601)), { statusCode: 400, code: "BadParameter" });
  const old = new SecretClient(vault.url, credential, { ...VAULT_CLIENT, serviceVersion: "2016-10-01" as never });
  await assert.rejects(old.getSecret("a"), { statusCode: 400 });
  const officer = await testVault(["*"]);
  const mine = new SecretClient(officer.vault.url, officer.credential, VAULT_CLIENT);
  await mine.setSecret("kept", "x");
  await (await mine.beginDeleteSecret("kept")).pollUntilDone();
  await assert.rejects(mine.purgeDeletedSecret("kept"), { statusCode: 403 });
  await (await mine.beginRecoverDeletedSecret("kept", { intervalInMs: 10 })).pollUntilDone();
  assert.equal((await mine.getSecret("kept")).value, "x");
  const versions: (string | undefined)[] = [];
  for await (const { version } of mine.listPropertiesOfSecretVersions("kept")) versions.push(version);
  assert.equal(versions.length, 1);
});
