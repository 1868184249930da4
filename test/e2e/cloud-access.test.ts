import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { authenticateKey, type KeyDeps } from "@sallyport/cloud/src/access/api-keys.ts";
import { addKey, listKeys, noteUsed, revokeKey, rotateKey } from "@sallyport/cloud/src/access/keys.ts";
import type { Principal } from "@sallyport/cloud/src/access/principal.ts";
import { getCredential } from "@sallyport/cloud/src/secrets/credentials.ts";
import {
  addConnection,
  listConnections,
  requireConnection,
  storeCredential,
} from "@sallyport/cloud/src/tenants/connections.ts";
import { DEFAULT_QUOTAS } from "@sallyport/cloud/src/tenants/quotas.ts";
import {
  addSite,
  addTenant,
  changeTenant,
  getTenant,
  listSites,
  listTenants,
} from "@sallyport/cloud/src/tenants/tenants.ts";
import { newCredential, type Scope, scope } from "@sallyport/shared/schema/api.ts";
import { openCloudStore } from "./cloud-store.ts";

const cloud = await openCloudStore();
const { store, secrets } = cloud;
const all = { most: 100 };

describe("API keys over the tables", () => {
  const deps: KeyDeps = {
    adminKeySha256: "0".repeat(64),
    findKey: async (id) => {
      const stored = await store.apiKeys.get(id);
      return stored && { id, ...stored.value, used: () => noteUsed(cloud, stored) };
    },
    now: cloud.now,
  };
  const admin: Principal = {
    ...{ id: "admin", caller: "key:admin", only: null, expiresAt: null },
    grants: [{ tenant: null, scopes: new Set(scope.options) }],
  };
  const authenticate = (keys: KeyDeps, bearer: string) => authenticateKey(keys, bearer.replace("Bearer ", ""));
  const wanted = (id: string, tenant: string | null, ...scopes: Scope[]) => ({ id, tenant, scopes });

  it("a new key works, is listed without its secret, and stops working when it is revoked", async () => {
    const { key } = await addKey(cloud, admin, wanted("etl", "contoso", "runs:read"));
    const principal = await authenticate(deps, `Bearer ${key}`);
    assert.deepEqual([principal.id, principal.caller], ["etl", "key:etl"]);
    assert.deepEqual(principal.grants, [{ tenant: "contoso", scopes: new Set(["runs:read"]) }]);
    const { items: listed } = await listKeys(cloud, all);
    const nothing = { only: null, expiresAt: null, revokedAt: null, overlapUntil: null };
    const lastUsedAt = cloud.now().toISOString();
    assert.deepEqual(listed, [{ ...wanted("etl", "contoso", "runs:read"), ...nothing, lastUsedAt }]);
    assert.doesNotMatch(JSON.stringify(listed), new RegExp(key.slice(-43)));
    const { revokedAt } = await revokeKey(cloud, admin, "etl");
    await assert.rejects(authenticate(deps, `Bearer ${key}`), { code: "api.unauthenticated" });
    cloud.clock.nowMs += 1000;
    assert.equal((await revokeKey(cloud, admin, "etl")).revokedAt, revokedAt, "the first revocation stands");
  });

  it("an id is given once, revoked or not", async () => {
    await assert.rejects(addKey(cloud, admin, wanted("etl", "contoso", "runs:read")), { code: "api.conflict" });
    await assert.rejects(revokeKey(cloud, admin, "nobody"), { code: "api.not_found" });
  });

  it("no key takes the first key's name", async () => {
    await assert.rejects(addKey(cloud, admin, wanted("admin", null, "runs:read")), { code: "api.conflict" });
  });

  it("a key that expires makes none that lives longer", async () => {
    const expiresAt = new Date(cloud.clock.nowMs + 60_000).toISOString();
    const by: Principal = { ...admin, id: "brief", expiresAt };
    const later = new Date(cloud.clock.nowMs + 61_000).toISOString();
    await assert.rejects(addKey(cloud, by, wanted("for-ever", null, "runs:read")), { code: "api.forbidden" });
    await assert.rejects(addKey(cloud, by, { ...wanted("longer", null, "runs:read"), expiresAt: later }), {
      code: "api.forbidden",
    });
    await addKey(cloud, by, { ...wanted("as-long", null, "runs:read"), expiresAt });
  });

  it("expires by the orchestrator's clock", async () => {
    const expiresAt = new Date(cloud.clock.nowMs + 60_000).toISOString();
    const { key } = await addKey(cloud, admin, { ...wanted("short", null, "runs:read"), expiresAt });
    await authenticate(deps, `Bearer ${key}`);
    cloud.clock.nowMs += 60_000;
    await assert.rejects(authenticate(deps, `Bearer ${key}`), { code: "api.unauthenticated" });
  });

  it("no key makes one that can do more than itself", async () => {
    const by: Principal = {
      ...{ id: "k", caller: "key:k", only: null, expiresAt: null },
      grants: [{ tenant: "contoso", scopes: new Set<Scope>(["runs:read", "keys:write"]) }],
    };
    for (const more of [
      wanted("more", "contoso", "runs:read", "runs:start"),
      wanted("more", "fabrikam", "runs:read"),
      wanted("more", null, "runs:read"),
    ]) {
      await assert.rejects(addKey(cloud, by, more), { code: "api.forbidden" });
    }
    assert.equal(await store.apiKeys.get("more"), undefined);
    await addKey(cloud, by, wanted("less", "contoso", "runs:read"));
    // Nor one that is there: its new secret would be in the wrong hands.
    await addKey(cloud, admin, wanted("mighty", null, "keys:write"));
    await assert.rejects(rotateKey(cloud, by, "mighty", 0), { code: "api.forbidden" });
    await assert.rejects(revokeKey(cloud, by, "mighty"), { code: "api.forbidden" });
    assert.equal((await store.apiKeys.get("mighty"))?.value.revokedAt, null);
    // A token of an hour may end what lives for ever, if it may do as much.
    const token: Principal = { ...by, expiresAt: new Date(cloud.clock.nowMs + 60_000).toISOString() };
    assert.equal((await revokeKey(cloud, token, "less")).id, "less");
  });

  it("a rotated key has two secrets for a while, never three, and none once it is revoked", async () => {
    const first = (await addKey(cloud, admin, wanted("turning", "contoso", "runs:read"))).key;
    const second = await rotateKey(cloud, admin, "turning", 60);
    assert.equal(second.overlapUntil, new Date(cloud.clock.nowMs + 60_000).toISOString());
    for (const key of [first, second.key]) await authenticateKey(deps, key);
    const third = await rotateKey(cloud, admin, "turning", 60);
    await assert.rejects(authenticateKey(deps, first), { code: "api.unauthenticated" });
    for (const key of [second.key, third.key]) await authenticateKey(deps, key);
    cloud.clock.nowMs += 60_000;
    await assert.rejects(authenticateKey(deps, second.key), { code: "api.unauthenticated" });
    await authenticateKey(deps, third.key);
    const fourth = await rotateKey(cloud, admin, "turning", 0);
    assert.equal(fourth.overlapUntil, null);
    await assert.rejects(authenticateKey(deps, third.key), { code: "api.unauthenticated" });
    await revokeKey(cloud, admin, "turning");
    await assert.rejects(authenticateKey(deps, fourth.key), { code: "api.unauthenticated" });
    await assert.rejects(rotateKey(cloud, admin, "turning", 60), { code: "api.conflict" });
    await assert.rejects(rotateKey(cloud, admin, "nobody", 60), { code: "api.not_found" });
  });

  it("its last use is noted to the hour", async () => {
    const { key } = await addKey(cloud, admin, wanted("noted", null, "runs:read"));
    const noted = async () => (await store.apiKeys.get("noted"))?.value.lastUsedAt;
    assert.equal(await noted(), null);
    await authenticateKey(deps, key);
    const at = await noted();
    assert.equal(at, cloud.now().toISOString());
    cloud.clock.nowMs += 3_599_999;
    await authenticateKey(deps, key);
    assert.equal(await noted(), at);
    cloud.clock.nowMs += 1;
    await authenticateKey(deps, key);
    assert.equal(await noted(), cloud.now().toISOString());
  });
});

describe("tenants and sites", () => {
  it("are made once; the same again is no error, another name is a conflict", async () => {
    const tenant = { id: "contoso", name: "Contoso" };
    assert.deepEqual([await addTenant(cloud, tenant), await addTenant(cloud, tenant)], [tenant, tenant]);
    await assert.rejects(addTenant(cloud, { ...tenant, name: "Fabrikam" }), { code: "api.conflict" });
    const site = { id: "oslo", name: "Oslo ☃ 'north'" };
    assert.deepEqual([await addSite(cloud, "contoso", site), await addSite(cloud, "contoso", site)], [site, site]);
    await assert.rejects(addSite(cloud, "contoso", { ...site, name: "Bergen" }), { code: "api.conflict" });
    await assert.rejects(addSite(cloud, "nobody", site), { code: "api.not_found" });
    assert.deepEqual((await listTenants(cloud, all)).items, [tenant]);
    assert.deepEqual((await listSites(cloud, "contoso", all)).items, [site]);
    assert.deepEqual((await listSites(cloud, "nobody", all)).items, []);
  });

  it("have quotas: what is there stays, and nothing is made beyond them", async () => {
    await addTenant(cloud, { id: "small", name: "Small" });
    const view = await changeTenant(cloud, "small", { quotas: { sites: 1, connections: 1, keys: 1 } });
    assert.deepEqual([view.quotas.sites, view.quotas.pulls], [1, DEFAULT_QUOTAS.pulls]);
    await addSite(cloud, "small", { id: "one", name: "One" });
    const full = (kind: string) => ({ code: "api.quota", detail: { kind, quota: 1 } });
    await assert.rejects(addSite(cloud, "small", { id: "two", name: "Two" }), full("sites"));
    // The same again makes nothing.
    await addSite(cloud, "small", { id: "one", name: "One" });
    const one = { id: "one", site: "one", kind: "mssql" } as const;
    await addConnection(cloud, "small", one);
    await addConnection(cloud, "small", one);
    await assert.rejects(addConnection(cloud, "small", { ...one, id: "two" }), full("connections"));
    assert.deepEqual((await getTenant(cloud, "small")).used, {
      sites: 1,
      agents: 0,
      connections: 1,
      pulls: 0,
      keys: 0,
    });
    await changeTenant(cloud, "small", { name: "Less small", quotas: { sites: 2 } });
    await addSite(cloud, "small", { id: "two", name: "Two" });
    const changed = await getTenant(cloud, "small");
    assert.deepEqual([changed.name, changed.quotas.sites, changed.quotas.connections], ["Less small", 2, 1]);
    await assert.rejects(getTenant(cloud, "nobody"), { code: "api.not_found" });
  });
});

/** As a session reads it. */
const credentialOf = async (tenant: string, connection: string) => {
  const { credentialVersion } = (await requireConnection(store, tenant, connection)).value;
  return getCredential(secrets, tenant, connection, credentialVersion);
};

describe("connections", () => {
  const erp = { id: "erp", site: "oslo", kind: "mssql" } as const;

  it("belong to a site, and know whether they have a credential, never which", async () => {
    assert.deepEqual(await addConnection(cloud, "contoso", erp), erp);
    assert.deepEqual(await addConnection(cloud, "contoso", erp), erp);
    assert.deepEqual((await listConnections(cloud, "contoso", all)).items, [{ ...erp, hasCredential: false }]);
    const credential = { form: "plain", user: "svc", password: "mark-4711", signIn: "sql" } as const;
    const answer = await storeCredential(cloud, "contoso", "erp", credential);
    assert.deepEqual((await listConnections(cloud, "contoso", all)).items, [{ ...erp, hasCredential: true }]);
    assert.deepEqual(await credentialOf("contoso", "erp"), credential);
    const stored = await requireConnection(store, "contoso", "erp");
    assert.doesNotMatch(JSON.stringify([answer, stored]), /4711/);
  });

  it("that exist for another site, or belong to another tenant, are not touched", async () => {
    await addSite(cloud, "contoso", { id: "bergen", name: "Bergen" });
    await assert.rejects(addConnection(cloud, "contoso", { ...erp, site: "bergen" }), { code: "api.conflict" });
    await assert.rejects(addConnection(cloud, "contoso", { ...erp, site: "nowhere" }), { code: "api.not_found" });
    const credential = { form: "plain", user: "svc", password: "other", signIn: "sql" } as const;
    await assert.rejects(storeCredential(cloud, "fabrikam", "erp", credential), { code: "api.not_found" });
    await assert.rejects(credentialOf("fabrikam", "erp"), { code: "api.not_found" });
    assert.match(JSON.stringify(await credentialOf("contoso", "erp")), /mark-4711/);
    assert.deepEqual((await listConnections(cloud, "fabrikam", all)).items, []);
  });

  it("a new credential replaces the old one", async () => {
    const before = (await requireConnection(store, "contoso", "erp")).value.credentialVersion;
    const second = { form: "plain", user: "svc", password: "second", signIn: "sql" } as const;
    await storeCredential(cloud, "contoso", "erp", second);
    assert.deepEqual(await credentialOf("contoso", "erp"), second);
    assert.notEqual((await requireConnection(store, "contoso", "erp")).value.credentialVersion, before);
  });

  it("are signed in to in a way of their kind: the first where none is said, and none of another kind", async () => {
    const corp = { id: "corp", site: "oslo", kind: "activeDirectory" } as const;
    await addConnection(cloud, "contoso", corp);
    const login = { user: "svc@corp.example", password: "third" };
    const wayOf = async (connection: string, signIn?: string) => {
      const body = newCredential.parse({ ...login, ...(signIn === undefined ? {} : { signIn }) });
      await storeCredential(cloud, "contoso", connection, body);
      const stored = await credentialOf("contoso", connection);
      return stored.form === "plain" ? stored.signIn : undefined;
    };
    assert.equal(await wayOf("corp"), "simple");
    for (const signIn of ["simple", "negotiate", "ntlm"]) {
      assert.equal(await wayOf("corp", signIn), signIn);
      await assert.rejects(wayOf("erp", signIn), { code: "api.invalid" });
    }
    assert.equal(await wayOf("erp"), "sql");
    await assert.rejects(wayOf("corp", "windowsNtlm"), { code: "api.invalid" });
  });

  it("P6.8 one that the customer sealed is stored as it came, for its own connection only", async () => {
    const part = { kid: "k".repeat(43), enc: "e".repeat(1494), ciphertext: "c".repeat(700) };
    const sealed = { form: "sealed", tenant: "contoso", site: "oslo", connection: "erp", parts: [part] } as const;
    for (const [name, other] of [
      ["tenant", "fabrikam"],
      ["site", "bergen"],
      ["connection", "crm"],
    ] as const) {
      const foreign = newCredential.parse({ ...sealed, [name]: other });
      const refused = { code: "api.invalid", detail: { fields: [name] } };
      await assert.rejects(storeCredential(cloud, "contoso", "erp", foreign), refused);
    }
    await storeCredential(cloud, "contoso", "erp", newCredential.parse(sealed));
    assert.deepEqual(await credentialOf("contoso", "erp"), sealed);
    for (const wrong of [
      { ...sealed, password: "pw" },
      { ...sealed, parts: [] },
      { ...sealed, form: "open" },
    ]) {
      assert.equal(newCredential.safeParse(wrong).success, false);
    }
  });
});
