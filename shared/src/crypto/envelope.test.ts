import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { AEAD_ChaCha20Poly1305, CipherSuite, KDF_HKDF_SHA256, KEM_MLKEM768_X25519 } from "hpke";
import { generateSeededKey, generateSessionKey, open, seal, sessionKeyFrom } from "./envelope.ts";

const { vectors } = JSON.parse(
  readFileSync(new URL("../../../test/vectors/hpke-x-wing.json", import.meta.url), "utf8"),
);
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

describe("the KEM of draft-ietf-hpke-pq", () => {
  // The draft's vectors for this KEM use ChaCha20-Poly1305; KEM, KDF and exporter are those of our suite.
  const suite = new CipherSuite(KEM_MLKEM768_X25519, KDF_HKDF_SHA256, AEAD_ChaCha20Poly1305);
  for (const vector of vectors) {
    it("opens the draft's ciphertexts and exports its values", async () => {
      const privateKey = await suite.DeserializePrivateKey(hex(vector.skRm), false);
      const publicKey = await suite.DeserializePublicKey(hex(vector.pkRm));
      const context = await suite.SetupRecipient({ privateKey, publicKey }, hex(vector.enc), {
        info: hex(vector.info),
      });
      assert.ok(vector.encryptions.length > 0);
      for (const { aad, ct, pt } of vector.encryptions) {
        assert.deepEqual(Buffer.from(await context.Open(hex(ct), hex(aad))), Buffer.from(hex(pt)));
      }
      assert.ok(vector.exports.length > 0);
      for (const { exporter_context, L, exported_value } of vector.exports) {
        const exported = await context.Export(hex(exporter_context), L);
        assert.deepEqual(Buffer.from(exported), Buffer.from(hex(exported_value)));
      }
    });
  }
});

describe("the envelope", () => {
  const [info, aad, plaintext] = [Buffer.from("info"), Buffer.from("aad"), Buffer.from("plaintext")];

  it("gives both ends the same plaintext and stream keys", async () => {
    const key = await generateSessionKey();
    const sealed = await seal(key.publicKey, info, aad, plaintext);
    const opened = await open(key, sealed.enc, info, aad, sealed.ciphertext);
    assert.ok(opened);
    assert.deepEqual(Buffer.from(opened.plaintext), plaintext);
    assert.deepEqual(await opened.exportKeys(), sealed.keys);
    assert.notDeepEqual(sealed.keys.toAgent, sealed.keys.toOrchestrator);
  });

  it("opens with a key that was stored as its seed", async () => {
    const { publicKey, seed } = await generateSeededKey();
    const sealed = await seal(publicKey, info, aad, plaintext);
    const opened = await open(await sessionKeyFrom(seed, publicKey), sealed.enc, info, aad, sealed.ciphertext);
    assert.deepEqual(Buffer.from(opened?.plaintext ?? []), plaintext);
  });

  it("opens nothing under another key, info or AAD", async () => {
    const [key, other] = [await generateSessionKey(), await generateSessionKey()];
    const { enc, ciphertext } = await seal(key.publicKey, info, aad, plaintext);
    assert.equal(await open(other, enc, info, aad, ciphertext), undefined);
    assert.equal(await open(key, enc, aad, aad, ciphertext), undefined);
    assert.equal(await open(key, enc, info, info, ciphertext), undefined);
    assert.equal(await open(key, enc.subarray(1), info, aad, ciphertext), undefined);
  });
});
