import assert from "node:assert/strict";
import { it } from "node:test";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { generateSeededKey, open, receiveExport, seal, sessionKeyFrom } from "@sallyport/shared/crypto/envelope.ts";
import {
  type CredentialText,
  infoOf,
  openCredential,
  sealCredential,
} from "@sallyport/shared/crypto/sealed-credential.ts";

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

/** RFC 9180 section 9.8, written with the other library: what a customer's own tool would have to do. */
const CREDENTIAL_KEY = Buffer.from("sallyport/1 credential key");
const OF = { tenant: "contoso", site: "oslo", connection: "erp" };
const TEXT: CredentialText = {
  ...{ user: "svc", password: "pässword", signIn: "sql", kind: "mssql" },
  ...{ host: "sql01.corp.example", port: 1433, database: "ERP", tls: "required" },
};
/** Each part after its length in bytes as u16 big-endian, spelled out. */
const INFO = Buffer.from(
  `0016${Buffer.from("sallyport/1 credential").toString("hex")}0007${Buffer.from("contoso").toString("hex")}` +
    `0004${Buffer.from("oslo").toString("hex")}0003${Buffer.from("erp").toString("hex")}`,
  "hex",
);

it("P6.3 a credential that we seal opens with @hpke/core and WebCrypto, and one that they seal opens here", async () => {
  const { publicKey, seed } = await generateSeededKey();
  const part = await sealCredential(TEXT, OF, Buffer.from(publicKey).toString("base64url"));
  const recipientKey = await other.kem.deserializePrivateKey(exact(seed));
  const enc = Buffer.from(part.enc, "base64url");
  const context = await other.createRecipientContext({ recipientKey, enc: exact(enc), info: exact(INFO) });
  const theirs = await context.export(exact(CREDENTIAL_KEY), 32);
  const aes = await crypto.subtle.importKey("raw", theirs, "AES-GCM", false, ["decrypt", "encrypt"]);
  const parameters = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: exact(enc) };
  const opened = await crypto.subtle.decrypt(parameters, aes, exact(Buffer.from(part.ciphertext, "base64url")));
  assert.deepEqual(JSON.parse(Buffer.from(opened).toString()), TEXT);
  assert.equal(opened.byteLength % 512, 0, "its length says nothing of the password's");

  const recipientPublicKey = await other.kem.deserializePublicKey(exact(publicKey));
  const sender = await other.createSenderContext({ recipientPublicKey, info: exact(INFO) });
  const key = await crypto.subtle.importKey("raw", await sender.export(exact(CREDENTIAL_KEY), 32), "AES-GCM", false, [
    "encrypt",
  ]);
  const sealed = await crypto.subtle.encrypt(
    { ...parameters, additionalData: sender.enc },
    key,
    exact(Buffer.from(JSON.stringify(TEXT))),
  );
  const ours = Buffer.from(await receiveExport({ seed, publicKey }, new Uint8Array(sender.enc), infoOf(OF)));
  const ciphertext = Buffer.from(sealed).toString("base64url");
  const encText = Buffer.from(sender.enc).toString("base64url");
  assert.deepEqual(openCredential(ours, { enc: encText, ciphertext }), TEXT);
});
