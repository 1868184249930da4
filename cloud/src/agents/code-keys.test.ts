import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { Secret, SecretStore } from "../secrets/secrets.ts";
import { openCodeKey, sealCodeKey } from "./code-keys.ts";

function memory(): SecretStore {
  const all = new Map<string, Secret[]>();
  return {
    get: async (name, version) =>
      version === undefined ? all.get(name)?.[0] : all.get(name)?.find((one) => one.version === version),
    put: async (name, value) => {
      const version = `${(all.get(name)?.length ?? 0) + 1}`;
      all.set(name, [{ value, version }, ...(all.get(name) ?? [])]);
      return version;
    },
    remove: async (name) => void all.delete(name),
  };
}

const key = randomBytes(32);
const unavailable = { code: "secrets.unavailable" };

describe("a code's key at rest", () => {
  it("is not to be read in the table, and opens with the secret store", async () => {
    const secrets = memory();
    const sealed = await sealCodeKey(secrets, randomBytes, "AAAAAAAA", key);
    assert.ok(!sealed.includes(key.toString("base64url")));
    assert.deepEqual(await openCodeKey(secrets, "AAAAAAAA", sealed), key);
  });
  it("is sealed anew each time, under one wrapping key", async () => {
    const secrets = memory();
    const two = [await sealCodeKey(secrets, randomBytes, "A", key), await sealCodeKey(secrets, randomBytes, "A", key)];
    assert.notEqual(two[0], two[1]);
    assert.ok(two.every((sealed) => sealed.startsWith("1.")));
  });
  it("opens for its own code only, unaltered only, and not with another secret store", async () => {
    const secrets = memory();
    const sealed = await sealCodeKey(secrets, randomBytes, "AAAAAAAA", key);
    await assert.rejects(openCodeKey(secrets, "AAAAAAAB", sealed), unavailable);
    for (const text of [
      "",
      "1.",
      "1.AAAA",
      "2.AAAA",
      "1",
      `${sealed}A`,
      sealed.replace(/.$/, "!"),
      sealed.slice(0, -4),
    ])
      await assert.rejects(openCodeKey(secrets, "AAAAAAAA", text), unavailable, text);
    const other = memory();
    await sealCodeKey(other, randomBytes, "B", key);
    await assert.rejects(openCodeKey(other, "AAAAAAAA", sealed), unavailable);
  });
});
