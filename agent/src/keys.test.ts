import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import { ConfigError } from "./config-error.ts";
import {
  adoptNewKeys,
  adoptNextIdentity,
  loadIdentity,
  loadNextIdentity,
  loadUnsealKey,
  loadUnsealPublicKey,
  storeNewKeys,
  storeNextIdentity,
} from "./keys.ts";
import { makeFolders, statePaths } from "./state.ts";

async function enrolled(t: { after(act: () => void): void }) {
  const root = mkdtempSync(join(tmpdir(), "sallyport-agent-keys-"));
  t.after(() => rmSync(root, { recursive: true }));
  const paths = statePaths(join(root, "agent"));
  makeFolders(paths);
  const identity = await generateKeyPair("EdDSA");
  storeNewKeys(paths, identity, { publicKey: Buffer.alloc(1216, 1), seed: Buffer.alloc(32, 2) });
  adoptNewKeys(paths);
  return { root, paths, identity };
}

test("the unseal key's seed comes from its file, and from a credential of systemd's where the file has none", async (t) => {
  const { root, paths } = await enrolled(t);
  assert.deepEqual(loadUnsealKey(paths, undefined).seed, Buffer.alloc(32, 2));
  const credentials = join(root, "credentials");
  mkdirSync(credentials);
  assert.deepEqual(loadUnsealKey(paths, credentials).seed, Buffer.alloc(32, 2), "none of ours is there");
  writeFileSync(join(credentials, "sallyport-unseal-seed"), `${Buffer.alloc(32, 3).toString("base64url")}\n`);
  assert.deepEqual(loadUnsealKey(paths, credentials).seed, Buffer.alloc(32, 2), "a new enrolment's, in its file");
  const publicKey = Buffer.alloc(1216, 1).toString("base64url");
  writeFileSync(paths.unseal, JSON.stringify({ alg: "X-Wing", publicKey }));
  assert.deepEqual(loadUnsealKey(paths, credentials).seed, Buffer.alloc(32, 3));
  assert.deepEqual(loadUnsealPublicKey(paths), Buffer.alloc(1216, 1));
  assert.throws(() => loadUnsealKey(paths, undefined), ConfigError);
  writeFileSync(join(credentials, "sallyport-unseal-seed"), "short");
  assert.throws(() => loadUnsealKey(paths, credentials), ConfigError);
});

test("an identity to go over to is on the disk before it is used, takes the other's place in one step, and enrolling drops it", async (t) => {
  const { paths, identity } = await enrolled(t);
  assert.equal(await loadNextIdentity(paths), undefined);
  const next = await storeNextIdentity(paths, await generateKeyPair("EdDSA"), Date.parse("2026-03-01T00:00:00Z"));
  assert.equal((await loadIdentity(paths)).kid, identity.kid);
  assert.equal((await loadNextIdentity(paths))?.kid, next.kid);
  adoptNextIdentity(paths);
  const now = await loadIdentity(paths);
  assert.deepEqual([now.kid, now.createdMs], [next.kid, Date.parse("2026-03-01T00:00:00Z")]);
  assert.equal(await loadNextIdentity(paths), undefined);

  await storeNextIdentity(paths, await generateKeyPair("EdDSA"), 0);
  storeNewKeys(paths, await generateKeyPair("EdDSA"), { publicKey: Buffer.alloc(1216), seed: Buffer.alloc(32) });
  adoptNewKeys(paths);
  assert.equal(await loadNextIdentity(paths), undefined);
});
