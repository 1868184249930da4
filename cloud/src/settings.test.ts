import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { originOf, readSettings } from "./settings.ts";

const good = {
  WEBSITE_HOSTNAME: "orchestrator.test",
  SALLYPORT_ADMIN_KEY_SHA256: "0".repeat(64),
  SALLYPORT_TABLES: "https://contoso.table.core.windows.net",
  SALLYPORT_BLOBS: "https://contoso.blob.core.windows.net",
  SALLYPORT_SERVICEBUS: "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=k",
  SALLYPORT_RELAY: "contoso.servicebus.windows.net",
  SALLYPORT_RELAY_LISTEN: "Endpoint=sb://contoso/;SharedAccessKeyName=n;SharedAccessKey=k",
  SALLYPORT_RELAY_RESOURCE: "https://management.azure.com/subscriptions/s",
  SALLYPORT_SIGNING_KEY: "/keys/signing.json",
  SALLYPORT_SECRETS: "/keys/secrets.json",
  SALLYPORT_SECRETS_KEY: "/keys/secrets.key",
};

function faultOf(env: NodeJS.ProcessEnv): SallyportError {
  try {
    readSettings(env);
  } catch (thrown) {
    assert.ok(thrown instanceof SallyportError && thrown.code === "settings.invalid");
    return thrown;
  }
  assert.fail("the settings were taken");
}

describe("the function app's settings", () => {
  it("are read, with defaults, and numbers as numbers", () => {
    const given = { SALLYPORT_LEASE_SECONDS: "30", SALLYPORT_BACKOFF_SECONDS: "0.1" };
    const settings = readSettings({ ...good, ...given, PATH: "/bin" });
    assert.equal(settings.SALLYPORT_CONTAINER, "sallyport");
    assert.equal(settings.SALLYPORT_LEASE_SECONDS, 30);
    assert.equal(settings.SALLYPORT_BACKOFF_SECONDS, 0.1);
    assert.deepEqual([settings.SALLYPORT_CLAIM_SECONDS, settings.SALLYPORT_RATE], [300, 50]);
    assert.ok(!("PATH" in settings));
  });
  it("say where agents reach the app: the platform's host name, or an address of its own", () => {
    assert.equal(originOf(readSettings(good)), "https://orchestrator.test");
    const own = { ...good, SALLYPORT_ORIGIN: "https://pulls.contoso.test" };
    assert.equal(originOf(readSettings(own)), "https://pulls.contoso.test");
  });
  it("that are missing are all named in one message", () => {
    const { message, detail } = faultOf({});
    for (const name of Object.keys(good)) assert.ok(message.includes(name), name);
    assert.equal((detail.settings as string[]).length, Object.keys(good).length);
  });
  it("a managed identity's namespace stands for the Service Bus connection string", () => {
    const { SALLYPORT_SERVICEBUS: _, ...rest } = good;
    const named = "contoso.servicebus.windows.net";
    assert.ok(readSettings({ ...rest, SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: named }));
    assert.match(faultOf(rest).message, /SALLYPORT_SERVICEBUS: /);
  });
  it("keys and secrets lie in a vault, or in files with a key of their own", () => {
    const { SALLYPORT_SECRETS_KEY: _, ...rest } = good;
    const vault = {
      SALLYPORT_SIGNING_KEY: "https://kv.vault.azure.net/keys/signing",
      SALLYPORT_SECRETS: "https://kv.vault.azure.net/",
    };
    assert.equal(readSettings({ ...rest, ...vault }).SALLYPORT_SECRETS_KEY, undefined);
    assert.match(faultOf(rest).message, /SALLYPORT_SECRETS_KEY: /);
    for (const SALLYPORT_SIGNING_KEY of [
      "https://kv.vault.azure.net/",
      "https://kv/keys/a/0123",
      "https://kv/keys/a?b",
    ])
      assert.match(faultOf({ ...rest, ...vault, SALLYPORT_SIGNING_KEY }).message, /SALLYPORT_SIGNING_KEY: is no key's/);
    for (const SALLYPORT_SECRETS of ["https://kv.vault.azure.net/secrets", "https://a@kv/", "https://"])
      assert.match(faultOf({ ...rest, ...vault, SALLYPORT_SECRETS }).message, /SALLYPORT_SECRETS: is no vault's/);
  });
  it("every reference that did not resolve is named, beside what is missing", () => {
    const reference = "@Microsoft.KeyVault(SecretUri=https://mark-4711.vault.azure.net/secrets/a)";
    const names = [...Object.keys(good), "SALLYPORT_ORIGIN", "SALLYPORT_CONTAINER", "SALLYPORT_LEASE_SECONDS"];
    const { SALLYPORT_TABLES: _, ...all } = Object.fromEntries(names.map((name) => [name, reference]));
    const { detail, message } = faultOf({ ...all, SALLYPORT_CLAIM_SECONDS: "0" });
    const said = detail.settings as string[];
    assert.equal(
      said.filter((text) => text.endsWith(": the Key Vault reference did not resolve")).length,
      names.length - 1,
    );
    assert.deepEqual(said.map((text) => text.split(":")[0]).sort(), [...names, "SALLYPORT_CLAIM_SECONDS"].sort());
    assert.doesNotMatch(message, /4711/);
  });
  it("without the key that azd makes, it says how it is made", () => {
    const { message } = faultOf({ ...good, SALLYPORT_ADMIN_KEY_SHA256: "made-by-the-hook-preprovision" });
    assert.match(message, /SALLYPORT_ADMIN_KEY_SHA256: .*`azd provision` makes the key/);
  });
  const wrong: Readonly<Record<string, string>> = {
    SALLYPORT_ORIGIN: "http://mark-4711.test",
    SALLYPORT_ADMIN_KEY_SHA256: "sp_mark-4711",
    SALLYPORT_TABLES: "@Microsoft.KeyVault(SecretUri=https://mark-4711)",
    SALLYPORT_BLOBS: "@Microsoft.KeyVault(SecretUri=https://mark-4711)",
    SALLYPORT_SERVICEBUS: "@Microsoft.KeyVault(SecretUri=https://mark-4711)",
    SALLYPORT_RELAY: "",
    SALLYPORT_RELAY_LISTEN: "@Microsoft.KeyVault(SecretUri=https://mark-4711)",
    SALLYPORT_RELAY_RESOURCE: "mark-4711",
    SALLYPORT_CONTAINER: "Mark-4711",
    SALLYPORT_LEASE_SECONDS: "mark-4711",
    SALLYPORT_WAKE_LEAD_SECONDS: "4711.5",
    SALLYPORT_CLAIM_SECONDS: "4711",
    SALLYPORT_CANARY_SECONDS: "0",
    SALLYPORT_BACKOFF_SECONDS: "0.01",
    SALLYPORT_WAIT_SECONDS: "4711",
    SALLYPORT_SLICE_SECONDS: "mark-4711",
    SALLYPORT_TELEMETRY: "mark-4711",
    SALLYPORT_TELEMETRY_ENDPOINT: "ftp://mark-4711",
    SALLYPORT_TELEMETRY_HEADERS: "mark 4711",
    SALLYPORT_TELEMETRY_RATIO: "4711",
  };
  for (const [name, value] of Object.entries(wrong)) {
    it(`a wrong ${name} is named, its value is not`, () => {
      const { message, detail } = faultOf({ ...good, [name]: value });
      assert.deepEqual(
        (detail.settings as string[]).map((text) => text.split(":")[0]),
        [name],
      );
      assert.doesNotMatch(`${message} ${JSON.stringify(detail)}`, /4711|keyvault\(secret/i);
    });
  }
});
