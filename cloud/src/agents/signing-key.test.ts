import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { loadSigningKey } from "./signing-key.ts";

const folder = await mkdtemp(join(tmpdir(), "sallyport-signing-"));
after(() => rm(folder, { recursive: true }));
const file = join(folder, "key.json");

describe("the orchestrator's signing key", () => {
  it("signs a statement of the public keys, for one origin", async () => {
    const pair = await generateKeyPair("ES256");
    await writeFile(file, JSON.stringify(pair.privateJwk));
    const { keys, signer, statement } = await loadSigningKey(file);
    assert.deepEqual([keys, signer.kid], [[pair.publicJwk], pair.kid]);
    const verified = await verifyJws(await statement("https://o.test"), { purpose: "keys", alg: "ES256" }, (kid) =>
      kid === pair.kid ? publicKeyOf(pair.publicJwk) : undefined,
    );
    assert.ok(verified.ok);
    const { iat, ...said } = JSON.parse(verified.payload.toString());
    assert.deepEqual(said, { aud: "https://o.test", seq: 1, keys: [pair.publicJwk] });
    assert.ok(Number.isInteger(iat));
  });
  it("is a private P-256 JWK in a readable file, or the setting is named", async () => {
    const [ec, ed] = [await generateKeyPair("ES256"), await generateKeyPair("EdDSA")];
    for (const content of [ec.publicJwk, ed.privateJwk, { ...ec.privateJwk, crv: "P-384" }, [], null]) {
      await writeFile(file, JSON.stringify(content));
      await assert.rejects(loadSigningKey(file), {
        code: "settings.invalid",
        detail: { settings: ["SALLYPORT_SIGNING_KEY"] },
      });
    }
    await writeFile(file, "{");
    await assert.rejects(loadSigningKey(file), { code: "settings.invalid" });
    await assert.rejects(loadSigningKey(join(folder, "missing")), { code: "settings.invalid" });
  });
});
