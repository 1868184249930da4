import assert from "node:assert/strict";
import { it } from "node:test";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { generateSeededKey, open, seal, sessionKeyFrom } from "@sallyport/shared/crypto/envelope.ts";

/** A second implementation of HPKE reads what ours writes, and the other way round, exporter included. */
const other = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const [info, aad, plaintext] = [Buffer.from("info"), Buffer.from("aad"), Buffer.from("a request")];
const TO_AGENT = Buffer.from("sallyport/1 orchestrator to agent");
/** The other library wants an ArrayBuffer of its own. */
const exact = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

it("@hpke/core opens what we seal", async () => {
  const { publicKey, seed } = await generateSeededKey();
  const sealed = await seal(publicKey, info, aad, plaintext);
  const recipientKey = await other.kem.deserializePrivateKey(exact(seed));
  const recipient = await other.createRecipientContext({ recipientKey, enc: exact(sealed.enc), info: exact(info) });
  assert.deepEqual(Buffer.from(await recipient.open(exact(sealed.ciphertext), exact(aad))), plaintext);
  assert.deepEqual(Buffer.from(await recipient.export(exact(TO_AGENT), 32)), Buffer.from(sealed.keys.toAgent));
});

it("we open what @hpke/core seals", async () => {
  const { publicKey, seed } = await generateSeededKey();
  const recipientPublicKey = await other.kem.deserializePublicKey(exact(publicKey));
  const sender = await other.createSenderContext({ recipientPublicKey, info: exact(info) });
  const ciphertext = new Uint8Array(await sender.seal(exact(plaintext), exact(aad)));
  const key = await sessionKeyFrom(seed, publicKey);
  const opened = await open(key, new Uint8Array(sender.enc), info, aad, ciphertext);
  assert.ok(opened);
  assert.deepEqual(Buffer.from(opened.plaintext), plaintext);
  assert.deepEqual(
    Buffer.from((await opened.exportKeys()).toAgent),
    Buffer.from(await sender.export(exact(TO_AGENT), 32)),
  );
});
