import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ed25519Jwk, fingerprint, generateKeyPair, p256Jwk, thumbprint } from "./identity.ts";

describe("thumbprints", () => {
  it("are those of RFC 8037, appendix A.3", async () => {
    const jwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
    assert.equal(await thumbprint(jwk), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert.equal(await fingerprint(jwk), "SHA256:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  });
  it("are the kid of a new pair, whose public part holds no private one", async () => {
    for (const [alg, schema] of [
      ["EdDSA", ed25519Jwk],
      ["ES256", p256Jwk],
    ] as const) {
      const pair = await generateKeyPair(alg);
      assert.equal(pair.kid, await thumbprint(pair.publicJwk));
      assert.equal(schema.safeParse(pair.publicJwk).success, true);
      assert.equal(schema.safeParse(pair.privateJwk).success, false);
      assert.ok(pair.privateJwk.d);
    }
  });
});

it("a public key of another curve, form or length is none", async () => {
  const { publicJwk } = await generateKeyPair("EdDSA");
  for (const over of [{ crv: "X25519" }, { kty: "EC" }, { x: "AA" }, { x: `${"A".repeat(42)}+` }, { use: "sig" }]) {
    assert.equal(ed25519Jwk.safeParse({ ...publicJwk, ...over }).success, false);
  }
});
