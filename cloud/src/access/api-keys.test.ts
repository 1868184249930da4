import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { sha256, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { scope } from "@sallyport/shared/schema/api.ts";
import { drawKey, type KeyDeps, type StoredKey } from "./api-keys.ts";
import { authenticate as authenticateBearer } from "./authenticate.ts";

const nowMs = Date.parse("2026-01-01T00:00:00Z");
const drawn = drawKey("etl-job", randomBytes);

function memory(over: Partial<StoredKey> = {}): KeyDeps & { asked: string[]; used: string[] } {
  const asked: string[] = [];
  const used: string[] = [];
  const stored: StoredKey = {
    id: "etl-job",
    tenant: "contoso",
    scopes: ["runs:read"],
    only: null,
    sha256: drawn.sha256,
    previous: null,
    expiresAt: null,
    revokedAt: null,
    used: async () => void used.push("etl-job"),
    ...over,
  };
  return {
    asked,
    used,
    adminKeySha256: sha256(utf8("the-admin-key")).toString("hex"),
    findKey: async (id) => {
      asked.push(id);
      return id === stored.id ? stored : undefined;
    },
    now: () => new Date(nowMs),
  };
}

const authenticate = (keys: KeyDeps, authorization: string | null) =>
  authenticateBearer({ keys, entra: undefined }, authorization);

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
    assert.deepEqual(principal, {
      id: "etl-job",
      caller: "key:etl-job",
      grants: [{ tenant: "contoso", scopes: new Set(["runs:read"]) }],
      only: null,
      expiresAt: null,
    });
    assert.equal((await authenticate(memory(), `bearer ${drawn.key}`)).id, "etl-job");
  });
  it("that is wrong, unknown, expired or revoked is refused in the same words, and no use of it is noted", async () => {
    const other = drawKey("other", randomBytes).key;
    const secret = drawKey("etl-job", randomBytes).key;
    const token = `${"a".repeat(20)}.${"b".repeat(20)}.${"c".repeat(20)}`;
    const deps = memory();
    for (const authorization of [
      ...[null, "", "Bearer ", drawn.key, `Basic ${drawn.key}`, `Bearer ${drawn.key}x`, `Bearer ${token}`],
      ...[other, secret, "a".repeat(20_000)].map((key) => `Bearer ${key}`),
    ])
      await assert.rejects(authenticate(deps, authorization), refused, String(authorization));
    assert.deepEqual(deps.used, []);
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
  it("whose secret was changed works with both until the overlap ends, and revoking ends both", async () => {
    const next = drawKey("etl-job", randomBytes);
    const rotated = (until: number): Partial<StoredKey> => ({
      sha256: next.sha256,
      previous: { sha256: drawn.sha256, until: new Date(until).toISOString() },
    });
    for (const { key } of [drawn, next])
      assert.equal((await authenticate(memory(rotated(nowMs + 1)), `Bearer ${key}`)).id, "etl-job");
    await assert.rejects(authenticate(memory(rotated(nowMs)), `Bearer ${drawn.key}`), refused);
    assert.equal((await authenticate(memory(rotated(nowMs)), `Bearer ${next.key}`)).id, "etl-job");
    const revoked = memory({ ...rotated(nowMs + 1), revokedAt: "2025-12-31T00:00:00.000Z" });
    for (const { key } of [drawn, next]) await assert.rejects(authenticate(revoked, `Bearer ${key}`), refused);
  });
  it("that is no key at all never fits what an unknown one is held against", async () => {
    const nobody = memory({ id: "somebody-else" });
    await assert.rejects(authenticate(nobody, `Bearer ${drawn.key}`), refused);
    assert.deepEqual(nobody.asked, ["etl-job"]);
  });
});

describe("the first admin key", () => {
  it("is known by its hash, may do everything, for all tenants", async () => {
    const deps = memory();
    const principal = await authenticate(deps, "Bearer the-admin-key");
    const grants = [{ tenant: null, scopes: new Set(scope.options) }];
    assert.deepEqual(principal, { id: "admin", caller: "key:admin", grants, only: null, expiresAt: null });
    await assert.rejects(authenticate(deps, `Bearer ${deps.adminKeySha256}`), refused);
  });
});
