import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, describe, it } from "node:test";
import { sha256, toBase64url } from "../crypto/bytes.ts";
import { generateSessionKey, type SessionKey } from "../crypto/envelope.ts";
import { generateKeyPair, type KeyPair, signerOf } from "../crypto/identity.ts";
import { publicKeyOf } from "../crypto/jws.ts";
import { DEFAULT_LIMITS } from "../schema/operations.ts";
import { buildHello, type Hello, type HelloRecord, isChallenge, verifyHello } from "./hello.ts";
import { InvalidRequest, openRequest, type SessionRequestPayload, sealRequest } from "./request.ts";

const agent = "0".repeat(32);
const challenge = toBase64url(randomBytes(32));
let identity: KeyPair;
let orchestrator: KeyPair;
let session: SessionKey;
let hello: HelloRecord;

const payload = (over: Partial<Hello> = {}): Hello => ({
  v: 1,
  agent,
  site: "oslo",
  challenge,
  key: toBase64url(session.publicKey),
  iat: 1,
  version: "0.1.0",
  policy: toBase64url(sha256()),
  maskKey: null,
  maxSessions: 4,
  operations: ["sql.table"],
  ...over,
});

const request = (over: Partial<SessionRequestPayload> = {}): SessionRequestPayload => ({
  v: 1,
  id: "1".repeat(32),
  hello: toBase64url(hello.hash),
  agent,
  site: "oslo",
  tenant: "contoso",
  connection: "erp",
  caller: "pull:orders",
  iat: 1,
  operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
  credential: { form: "plain", user: "sa", password: "geheim", signIn: "sql" },
  limits: DEFAULT_LIMITS,
  window: 2 ** 22,
  ...over,
});

before(async () => {
  [identity, orchestrator] = [await generateKeyPair("EdDSA"), await generateKeyPair("ES256")];
  session = await generateSessionKey();
  hello = await buildHello(payload(), signerOf("EdDSA", identity));
});

describe("hello", () => {
  it("P1.6 by the key before the current one is taken while that is valid, and by a third never", async () => {
    const other = await generateKeyPair("EdDSA");
    const expected = { agent, site: "oslo", challenge, identity: other.publicJwk, kid: other.kid };
    const previous = { identity: identity.publicJwk, kid: identity.kid };
    assert.deepEqual((await verifyHello(hello.record, { ...expected, previous })).hash, hello.hash);
    await assert.rejects(verifyHello(hello.record, expected), { code: "protocol.hello" });
    const wrong = { ...previous, identity: other.publicJwk };
    await assert.rejects(verifyHello(hello.record, { ...expected, previous: wrong }), { code: "protocol.hello" });
  });
  const expected = () => ({ agent, site: "oslo", challenge, identity: identity.publicJwk, kid: identity.kid });
  it("arrives as it was built, with the hash of the whole record", async () => {
    const verified = await verifyHello(hello.record, expected());
    assert.deepEqual(verified.hello, hello.hello);
    assert.deepEqual(verified.hash, sha256(hello.record));
  });
  it("is refused for another agent, site, challenge or key, and says which", async () => {
    const other = await generateKeyPair("EdDSA");
    for (const [reason, over] of [
      ["agent", { agent: "1".repeat(32) }],
      ["site", { site: "bergen" }],
      ["challenge", { challenge: toBase64url(randomBytes(32)) }],
      ["kid", { kid: other.kid }],
      ["signature", { identity: other.publicJwk }],
    ] as const) {
      await assert.rejects(verifyHello(hello.record, { ...expected(), ...over }), {
        code: "protocol.hello",
        detail: { reason },
      });
    }
  });
  it("is not built from what it may not say", async () => {
    const signer = signerOf("EdDSA", identity);
    await assert.rejects(buildHello(payload({ maxSessions: 0 }), signer));
    await assert.rejects(buildHello(payload({ key: "short" }), signer));
  });
  it("a challenge is 43 characters that re-encode to themselves", () => {
    assert.ok(isChallenge(challenge));
    // The last character holds two bits that are no part of 32 bytes.
    for (const text of ["", challenge.slice(1), `${challenge}A`, `${challenge.slice(0, 42)}=`, `${"A".repeat(42)}B`])
      assert.ok(!isChallenge(text), text);
    assert.ok(isChallenge("A".repeat(43)));
  });
});

describe("request", () => {
  const pinned = (kid: string) => (kid === orchestrator.kid ? publicKeyOf(orchestrator.publicJwk) : undefined);
  const sealed = (over: Partial<SessionRequestPayload> = {}) =>
    sealRequest(request(over), hello, signerOf("ES256", orchestrator));
  const opened = (record: Uint8Array, at: { hash?: Buffer; agent?: string; site?: string } = {}) =>
    openRequest(record, session, { hash: hello.hash, agent, site: "oslo", ...at }, pinned);

  it("gives both sides the same payload and stream keys, and shows nothing", async () => {
    const { record, keys } = await sealed();
    assert.equal(record.indexOf("geheim"), -1);
    const { request: arrived, keys: theirs } = await opened(record);
    assert.deepEqual(arrived, request());
    assert.deepEqual(theirs, keys);
  });
  it("opens for no other hello: the hash is part of the key schedule", async () => {
    await assert.rejects(opened((await sealed()).record, { hash: sha256(Buffer.from("x")) }), {
      code: "protocol.integrity",
    });
  });
  it("is refused when it names another hello, agent or site", async () => {
    for (const over of [{ hello: toBase64url(sha256()) }, { agent: "2".repeat(32) }, { site: "bergen" }]) {
      await assert.rejects(opened((await sealed(over)).record), {
        code: "request.refused",
        detail: { reason: Object.keys(over)[0] },
      });
    }
  });
  it("is refused by whoever has not pinned the orchestrator's key", async () => {
    const { record } = await sealed();
    await assert.rejects(
      openRequest(record, session, { hash: hello.hash, agent, site: "oslo" }, () => undefined),
      { code: "request.refused", detail: { reason: "kid" } },
    );
  });
  it("of another version is named as such, before its fields are judged", async () => {
    const { record } = await sealed({ v: 2 as never, limits: undefined as never });
    await assert.rejects(opened(record), { code: "protocol.version" });
  });
  it("that is genuine but cannot be served carries the keys, and names fields without values", async () => {
    const { record, keys } = await sealed({ window: 1, caller: "root:geheim" });
    await assert.rejects(opened(record), (error) => {
      assert.ok(error instanceof InvalidRequest);
      assert.deepEqual(error.keys, keys);
      assert.deepEqual(error.detail, { fields: ["caller", "window"] });
      assert.doesNotMatch(error.message, /geheim/);
      return true;
    });
  });
  it("larger than a record may be is not sent", async () => {
    const raw = "x".repeat(32_768);
    const statement = { op: "sql.query", raw, parameters: { a: raw } } as const;
    await assert.rejects(sealed({ operation: statement }), { code: "protocol.order" });
  });
});
