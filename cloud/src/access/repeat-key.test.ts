/** The key of the repeats: one for all instances, in the secret store. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { SecretStore } from "../secrets/secrets.ts";
import { repeatKeyStore, repeatStore } from "../store/repeats.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { type RepeatKeyDeps, repeatKey } from "./repeat-key.ts";

const azurite = await testAzurite();
let tables = 0;

/** A table of its own, and a store of secrets in memory, in which a later version does not hide the one before. */
async function rig() {
  tables += 1;
  const table = azurite.connectTable(`repeats${tables}`);
  await table.createTable();
  const versions = new Map<string, string>();
  const secrets: Pick<SecretStore, "get" | "put"> = {
    get: async (_name, version = "") => {
      const value = versions.get(version);
      return value === undefined ? undefined : { value, version };
    },
    put: async (_name, value) => {
      const version = randomBytes(16).toString("hex");
      versions.set(version, value);
      return version;
    },
  };
  const deps: RepeatKeyDeps = { store: { repeatKeys: repeatKeyStore(table) }, secrets, random: randomBytes };
  return { table, versions, deps };
}

test("instances that make it together have one key, and so has whoever comes later", async () => {
  const { deps, versions, table } = await rig();
  const keys = await Promise.all(Array.from({ length: 8 }, () => repeatKey(deps)()));
  keys.push(await repeatKey(deps)());
  assert.equal(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size, 1);
  assert.equal(keys[0]!.byteLength, 32);
  // The table says which one, and never what it is; and no sweep takes its row.
  const rows = await Array.fromAsync(table.listEntities());
  assert.equal(rows.length, 1);
  for (const value of versions.values()) assert.doesNotMatch(JSON.stringify(rows), new RegExp(value));
  assert.deepEqual(await repeatStore(table).expired("9999-01-01T00:00:00.000Z", 10), []);
});

test("one that somebody has deleted is made anew, and a store that does not answer is asked again", async () => {
  const { deps, versions } = await rig();
  const before = await repeatKey(deps)();
  versions.clear();
  const after = await repeatKey(deps)();
  assert.notDeepEqual(after, before);
  assert.deepEqual(await repeatKey(deps)(), after);
  let isAway = true;
  const get: SecretStore["get"] = (name, version) =>
    isAway ? Promise.reject(new Error("no vault")) : deps.secrets.get(name, version);
  const key = repeatKey({ ...deps, secrets: { ...deps.secrets, get } });
  await assert.rejects(key(), /no vault/);
  isAway = false;
  assert.deepEqual(await key(), after);
});
