/** Connections and sites go when nothing leans on them, and what is made on them at the same time is not left hanging. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { agentDirectory } from "../agents/agent-store.ts";
import { settle } from "../agents/registry.ts";
import { putPull } from "../pulls/define.ts";
import type { PullDeps } from "../pulls/deps.ts";
import { removePull } from "../pulls/remove.ts";
import { definitionOf, testRig } from "../pulls/test-rig.ts";
import { testSource } from "../pulls/test-source.ts";
import { getPull } from "../pulls/views.ts";
import { credentialName, getCredential, putCredential } from "../secrets/credentials.ts";
import { localSecrets } from "../secrets/local.ts";
import type { Keyed } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";
import { testAzurite } from "../store/test-azurite.ts";
import {
  addConnection,
  type ConnectionDeps,
  listConnections,
  removeConnection,
  storeCredential,
} from "./connections.ts";
import { offboard } from "./offboard.ts";
import { usedBy } from "./quotas.ts";
import { addSite, addTenant, removeSite } from "./tenants.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-remove-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const rig = await testRig(await testAzurite());
const pulls = rig.process(testSource(5));
const { store } = pulls;
const secrets = localSecrets(join(folder, "secrets.json"), randomBytes(32), (bytes) => randomBytes(bytes));
const deps: ConnectionDeps = { store, secrets, now: () => new Date() };
await addTenant(deps, { id: "acme", name: "Acme" });

const CREDENTIAL = { form: "plain", user: "svc", password: "mark", signIn: "sql" } as const;
const CHANGED = { code: "api.changed" };
let serial = 0;

/** A new connection at a new site. */
async function place(): Promise<{ readonly site: string; readonly id: string; readonly kind: "mssql" }> {
  const site = `site-${++serial}`;
  await addSite(deps, "acme", { id: site, name: site });
  return { ...(await addConnection(deps, "acme", { id: `db-${serial}`, site, kind: "mssql" })), kind: "mssql" };
}

const secretOf = async (connection: string) => (await secrets.get(credentialName("acme", connection)))?.value;

/** The same store, to which something happens right after its first read of one record of a table. */
function interrupted(table: "connections" | "sites", act: () => Promise<unknown>, all: Store = store): Store {
  let pending = true;
  const get = async (partition: string, row: string) => {
    const found = await all[table].get(partition, row);
    if (pending) {
      pending = false;
      await act();
    }
    return found;
  };
  return { ...all, [table]: { ...(all[table] as Keyed<never>), get } };
}

test("a connection that no pull reads goes with its credential; made again, it has none", async () => {
  const { id, site } = await place();
  const key = { tenant: "acme", pull: `of-${id}` };
  await storeCredential(deps, "acme", id, CREDENTIAL);
  await putPull(pulls, key, definitionOf({ connection: id }));
  await assert.rejects(removeConnection(deps, "acme", id), ({ code, detail }) => {
    assert.deepEqual([code, detail], ["api.conflict", { pulls: [key.pull] }]);
    return true;
  });
  assert.match((await secretOf(id)) ?? "", /mark/);
  await removePull(pulls, key);
  const { connections } = await usedBy(store, "acme");
  assert.equal((await removeConnection(deps, "acme", id)).id, id);
  assert.equal((await usedBy(store, "acme")).connections, connections - 1);
  assert.equal(await secretOf(id), undefined);
  await assert.rejects(removeConnection(deps, "acme", id), { code: "api.not_found" });
  await addConnection(deps, "acme", { id, site, kind: "activeDirectory" });
  const { items } = await listConnections(deps, "acme", { most: 1000 });
  assert.equal(items.find((one) => one.id === id)?.hasCredential, false);
});

test("a removal that was cut short is finished by the same call, or by whoever makes the connection again", async () => {
  const silent = { ...secrets, remove: () => Promise.reject(new Error("no answer")) };
  for (const again of [removeConnection, undefined]) {
    const { id, site, kind } = await place();
    await storeCredential(deps, "acme", id, CREDENTIAL);
    await assert.rejects(removeConnection({ ...deps, secrets: silent }, "acme", id), /no answer/);
    await assert.rejects(storeCredential(deps, "acme", id, CREDENTIAL), { code: "api.not_found" });
    const refused = putPull(pulls, { tenant: "acme", pull: "late" }, definitionOf({ connection: id }));
    await assert.rejects(refused, { code: "api.invalid" });
    if (again) await again(deps, "acme", id);
    else await addConnection(deps, "acme", { id, site, kind });
    assert.equal(await secretOf(id), undefined);
    assert.equal((await store.connections.get("acme", id)) === undefined, again !== undefined);
  }
});

test("a pull that is made while its connection is removed keeps the connection, if it was there first", async () => {
  const { id } = await place();
  const key = { tenant: "acme", pull: `first-${id}` };
  let pending = true;
  const runs: Store["runs"] = {
    ...store.runs,
    definitions: async (...given) => {
      const found = await store.runs.definitions(...given);
      if (pending) await putPull(pulls, key, definitionOf({ connection: id }));
      pending = false;
      return found;
    },
  };
  await assert.rejects(removeConnection({ ...deps, store: { ...store, runs } }, "acme", id), CHANGED);
  assert.equal((await getPull(pulls, "acme", key.pull)).definition.connection, id);
  await assert.rejects(removeConnection(deps, "acme", id), { code: "api.conflict" });
});

test("a pull that is made or changed while its connection is removed does not stay on it, if it was second", async () => {
  const [first, second] = [await place(), await place()];
  const removing = (id: string): PullDeps => ({
    ...pulls,
    store: interrupted("connections", () => removeConnection(deps, "acme", id)),
  });
  const made = { tenant: "acme", pull: `made-${first.id}` };
  const onGone = definitionOf({ connection: first.id });
  await assert.rejects(putPull(removing(first.id), made, onGone), { code: "api.invalid" });
  await assert.rejects(getPull(pulls, "acme", made.pull), { code: "api.not_found" });
  const kept = await place();
  const moved = { tenant: "acme", pull: `moved-${kept.id}` };
  await putPull(pulls, moved, definitionOf({ connection: kept.id }));
  const change = putPull(removing(second.id), moved, definitionOf({ connection: second.id }), 1);
  await assert.rejects(change, { code: "api.invalid" });
  const { definition, revision } = await getPull(pulls, "acme", moved.pull);
  assert.deepEqual([definition.connection, revision], [kept.id, 3]);
});

test("a credential that is stored while its connection is removed does not stay", async () => {
  const { id } = await place();
  const removing = { ...deps, store: interrupted("connections", () => removeConnection(deps, "acme", id)) };
  await assert.rejects(storeCredential(removing, "acme", id, CREDENTIAL), CHANGED);
  assert.equal(await secretOf(id), undefined);
});

test("a site goes when no connection and no agent that works is there", async () => {
  const { id, site } = await place();
  await assert.rejects(removeSite(deps, "acme", site), ({ code, detail }) => {
    assert.deepEqual([code, detail], ["api.conflict", { connections: [id] }]);
    return true;
  });
  await removeConnection(deps, "acme", id);
  const agent = await registerAgent(site);
  await assert.rejects(removeSite(deps, "acme", site), ({ code, detail }) => {
    assert.deepEqual([code, detail], ["api.conflict", { agents: [agent] }]);
    return true;
  });
  const stored = await store.agents.get("acme", site, agent);
  await store.agents.update(stored!, { ...stored!.value, status: "revoked" });
  const { sites } = await usedBy(store, "acme");
  assert.equal((await removeSite(deps, "acme", site)).id, site);
  assert.equal((await usedBy(store, "acme")).sites, sites - 1);
  await assert.rejects(removeSite(deps, "acme", site), { code: "api.not_found" });
});

test("of a site's removal and what is made there at the same time one is refused", async () => {
  const empty = async () => {
    const { id, site } = await place();
    await removeConnection(deps, "acme", id);
    return site;
  };
  // The connection first, then the removal.
  const first = await empty();
  const wanted = (site: string) => ({ id: `on-${site}`, site, kind: "mssql" as const });
  const adding = interrupted("sites", () => addConnection(deps, "acme", wanted(first)));
  await assert.rejects(removeSite({ ...deps, store: adding }, "acme", first), { code: /api.(changed|conflict)/ });
  assert.ok(await store.sites.get("acme", first));
  // The removal first.
  const second = await empty();
  const removing = interrupted("sites", () => removeSite(deps, "acme", second));
  await assert.rejects(addConnection({ ...deps, store: removing }, "acme", wanted(second)), { code: "api.not_found" });
  assert.equal(await store.connections.get("acme", `on-${second}`), undefined);
});

test("an agent that enrols while its site is removed is revoked, with its hybrid connection", async () => {
  const { id, site } = await place();
  await removeConnection(deps, "acme", id);
  const paths: string[] = [];
  const hybridConnections = { create: async () => undefined, remove: async (path: string) => void paths.push(path) };
  const registry = { ...deps, hybridConnections };
  const agent = await registerAgent(site);
  // There first: the removal that has not seen it is refused.
  const stale = await store.sites.get("acme", site);
  await settle(registry, { tenant: "acme", site, agent });
  assert.equal(await store.sites.remove(stale!), false);
  await store.sites.remove((await store.sites.get("acme", site))!);
  await assert.rejects(settle(registry, { tenant: "acme", site, agent }), { code: "enrolment.refused" });
  assert.equal((await store.agents.get("acme", site, agent))?.value.status, "revoked");
  assert.deepEqual(paths, [`a-${agent}`]);
});

test("a code of a site that was removed enrols nobody, also not where a site has its name again", async () => {
  const { id, site } = await place();
  const load = { began: () => () => undefined, of: () => 0 };
  const random = (bytes: number) => randomBytes(bytes);
  const directory = agentDirectory({ ...deps, secrets, load, random, alert: () => undefined });
  const code = { codeId: "C0DE", tenant: "acme", site, autoApprove: true, expiresAt: new Date().toISOString() };
  await directory.insertCode({ ...code, usedBy: null, agent: null, answer: null }, randomBytes(32), "key:k");
  assert.equal((await directory.findCode("C0DE"))?.code.site, site);
  await removeConnection(deps, "acme", id);
  await removeSite(deps, "acme", site);
  assert.equal(await directory.findCode("C0DE"), undefined);
  await addSite(deps, "acme", { id: site, name: site });
  assert.equal(await directory.findCode("C0DE"), undefined);
});

test("offboarding ends what removals that were cut short have left behind", async () => {
  await addTenant(deps, { id: "leaving", name: "Leaving" });
  await addSite(deps, "leaving", { id: "plant", name: "Plant" });
  await addConnection(deps, "leaving", { id: "erp", site: "plant", kind: "mssql" });
  await storeCredential(deps, "leaving", "erp", CREDENTIAL);
  const silent = { ...secrets, remove: () => Promise.reject(new Error("no answer")) };
  await assert.rejects(removeConnection({ ...deps, secrets: silent }, "leaving", "erp"), /no answer/);
  assert.ok(await secrets.get(credentialName("leaving", "erp")));
  // It enrolled while its site was removed, by a process that died before it saw that.
  const agent = await registerAgent("nowhere", "leaving");
  const hybridConnections = { create: async () => undefined, remove: async () => undefined };
  const offboarding = { ...deps, hybridConnections, pulls, random: (bytes: number) => randomBytes(bytes) };
  const ended = await offboard(offboarding, "leaving", { confirm: "leaving", deleteResults: false });
  assert.deepEqual([ended.agents, ended.credentials], [1, 1]);
  assert.equal(await secrets.get(credentialName("leaving", "erp")), undefined);
  assert.equal((await store.agents.get("leaving", "nowhere", agent))?.value.status, "revoked");
});

test("a connection that was made again is not given what lies under its name", async () => {
  const { id } = await place();
  await storeCredential(deps, "acme", id, CREDENTIAL);
  const before = (await store.connections.get("acme", id))!.value;
  await removeConnection(deps, "acme", id);
  // Stored by a call that was late for the removal, or recovered with the deleted one.
  await putCredential(secrets, "acme", id, CREDENTIAL);
  await addConnection(deps, "acme", { id, site: before.site, kind: "mssql" });
  const { credentialVersion } = (await store.connections.get("acme", id))!.value;
  const none = { code: "secrets.unavailable" };
  await assert.rejects(getCredential(secrets, "acme", id, credentialVersion), none);
  await assert.rejects(getCredential(secrets, "acme", id, before.credentialVersion), none);
});

async function registerAgent(site: string, tenant = "acme"): Promise<string> {
  const agent = randomBytes(16).toString("hex");
  const kid = randomBytes(32).toString("base64url");
  await store.agents.insert(agent, {
    ...{ tenant, site, status: "pending", identity: {}, kid, previous: null, unseal: "", codeId: "c" },
    ...{ unsealStatement: null, unsealBy: null, hybridConnection: `a-${agent}`, host: "h", version: "0.1.0" },
    ...{ enrolledAt: new Date().toISOString(), revokedAt: null, seenAt: null, journal: null, journalAlert: null },
    ...{ policy: null, locked: false, draining: false, maxSessions: null, reachedAt: null, canaryAt: null },
    ...{ canary: null, canaryCode: null, updates: null, versionAt: null },
  });
  return agent;
}
