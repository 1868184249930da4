import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { sha256, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { scope } from "@sallyport/shared/schema/api.ts";
import { authenticate, authorize, drawKey, type KeyDeps, type StoredKey } from "./api-keys.ts";

const nowMs = Date.parse("2026-01-01T00:00:00Z");
const drawn = drawKey("etl-job", randomBytes);

function memory(over: Partial<StoredKey> = {}): KeyDeps & { asked: string[] } {
  const asked: string[] = [];
  const stored: StoredKey = {
    id: "etl-job",
    tenant: "contoso",
    scopes: ["runs:read"],
    sha256: drawn.sha256,
    expiresAt: null,
    revokedAt: null,
    ...over,
  };
  return {
    asked,
    adminKeySha256: sha256(utf8("the admin key")).toString("hex"),
    findKey: async (id) => {
      asked.push(id);
      return id === stored.id ? stored : undefined;
    },
    now: () => new Date(nowMs),
  };
}

const refused = {
  code: "api.unauthenticated",
  message: "There is no such API key, or it has expired.",
  detail: {},
};

describe("an API key", () => {
  it("is shown once: what is stored is its hash, and its id stands in it", () => {
    assert.match(drawn.key, /^sp_etl-job_[A-Za-z0-9_-]{43}$/);
    assert.equal(drawn.sha256, sha256(utf8(drawn.key)).toString("base64url"));
    assert.notEqual(drawKey("etl-job", randomBytes).key, drawn.key);
  });
  it("says who calls, with its tenant and scopes", async () => {
    const principal = await authenticate(memory(), `Bearer ${drawn.key}`);
    assert.deepEqual(principal, { id: "etl-job", tenant: "contoso", scopes: new Set(["runs:read"]), expiresAt: null });
    assert.equal((await authenticate(memory(), `bearer ${drawn.key}`)).id, "etl-job");
  });
  it("that is wrong, unknown, expired or revoked is refused in the same words", async () => {
    const other = drawKey("other", randomBytes).key;
    const secret = drawKey("etl-job", randomBytes).key;
    for (const authorization of [
      null,
      "",
      "Bearer ",
      drawn.key,
      `Basic ${drawn.key}`,
      `Bearer ${other}`,
      `Bearer ${secret}`,
    ])
      await assert.rejects(authenticate(memory(), authorization), refused, String(authorization));
    await assert.rejects(authenticate(memory(), `Bearer ${drawn.key}x`), refused);
    const dead = [{ expiresAt: new Date(nowMs).toISOString() }, { revokedAt: "2025-12-31T00:00:00.000Z" }];
    for (const over of dead) await assert.rejects(authenticate(memory(over), `Bearer ${drawn.key}`), refused);
    await authenticate(memory({ expiresAt: new Date(nowMs + 1).toISOString() }), `Bearer ${drawn.key}`);
  });
  it("that cannot be one is not looked up: nothing foreign becomes a table key", async () => {
    const deps = memory();
    for (const key of ["sp__x", "sp_a'b_c", `sp_${"a".repeat(41)}_${"b".repeat(43)}`, `sp_A_${"b".repeat(43)}`, "x"])
      await assert.rejects(authenticate(deps, `Bearer ${key}`), refused);
    assert.deepEqual(deps.asked, []);
  });
});

describe("the first admin key", () => {
  it("is known by its hash, may do everything, for all tenants", async () => {
    const deps = { ...memory(), adminKeySha256: sha256(utf8("the-admin-key")).toString("hex") };
    const principal = await authenticate(deps, "Bearer the-admin-key");
    assert.deepEqual(principal, { id: "admin", tenant: null, scopes: new Set(scope.options), expiresAt: null });
    await assert.rejects(authenticate(deps, `Bearer ${deps.adminKeySha256}`), refused);
  });
});

describe("what a key may do", () => {
  const principal = (tenant: string | null, ...scopes: ("runs:read" | "runs:start")[]) => ({
    id: "k",
    tenant,
    scopes: new Set(scopes),
    expiresAt: null,
  });
  const forbidden = { code: "api.forbidden", detail: { scope: "runs:read" } };
  it("needs the scope", () => {
    authorize(principal("contoso", "runs:read"), "runs:read", "contoso");
    assert.throws(() => authorize(principal("contoso", "runs:start"), "runs:read", "contoso"), forbidden);
    assert.throws(() => authorize(principal("contoso"), "runs:read", "contoso"), forbidden);
    assert.throws(() => authorize(principal(null), "runs:read", null), forbidden);
  });
  it("is for its own tenant; what is above tenants is for keys bound to none", () => {
    assert.throws(() => authorize(principal("contoso", "runs:read"), "runs:read", "fabrikam"), forbidden);
    assert.throws(() => authorize(principal("contoso", "runs:read"), "runs:read", null), forbidden);
    assert.throws(() => authorize(principal("contoso", "runs:read"), "runs:read", ""), forbidden);
    authorize(principal(null, "runs:read"), "runs:read", "fabrikam");
    authorize(principal(null, "runs:read"), "runs:read", null);
  });
});
