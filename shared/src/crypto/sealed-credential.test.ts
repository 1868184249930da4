/** What was sealed once opens as it was, and in no other way; each vector says which. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { unsealKid } from "./agent-key.ts";
import { generateSeededKey, receiveExport } from "./envelope.ts";
import { type CredentialText, infoOf, openCredential, type SealedFor, sealCredential } from "./sealed-credential.ts";
import type { SealedPart } from "./sealed-part.ts";

interface Vectors {
  readonly unseal: { readonly publicKey: string; readonly seed: string };
  readonly text: CredentialText;
  readonly vectors: readonly { name: string; expect: "opens" | "refused"; of: SealedFor; part: SealedPart }[];
}
const { unseal, text, vectors } = JSON.parse(
  readFileSync(new URL("../../../test/vectors/sealed-credential.json", import.meta.url), "utf8"),
) as Vectors;
const bytes = (base64: string): Buffer => Buffer.from(base64, "base64url");
const key = { publicKey: bytes(unseal.publicKey), seed: bytes(unseal.seed) };

for (const { name, expect, of, part } of vectors) {
  test(`P6.3 vector: ${name}: ${expect}`, async () => {
    const opener = await receiveExport(key, bytes(part.enc), infoOf(of));
    const opened = openCredential(opener, part);
    assert.deepEqual(opened, expect === "opens" ? text : undefined);
    assert.equal(part.kid, unsealKid(unseal.publicKey));
  });
}

test("most vectors are refused", () => {
  assert.deepEqual(
    vectors.filter(({ expect }) => expect === "opens").map(({ name }) => name),
    ["as it was sealed"],
  );
  assert.ok(vectors.length > 10);
});

test("P6.3 another agent's key opens nothing", async () => {
  const { of, part } = vectors[0]!;
  const other = await generateSeededKey();
  assert.equal(openCredential(await receiveExport(other, bytes(part.enc), infoOf(of)), part), undefined);
});

test("two sealings of one text share no byte that says so, and texts of any length have a length of 512", async () => {
  const of = { tenant: "t", site: "s", connection: "c" };
  const [one, two, long] = await Promise.all(
    [text, text, { ...text, password: "p".repeat(200) }].map((each) => sealCredential(each, of, unseal.publicKey)),
  );
  assert.notEqual(one!.enc, two!.enc);
  assert.notEqual(one!.ciphertext, two!.ciphertext);
  assert.equal(one!.ciphertext.length, long!.ciphertext.length);
});

test("what is no credential is not sealed", async () => {
  const of = { tenant: "t", site: "s", connection: "c" };
  for (const over of [{ password: "" }, { port: 0 }, { more: 1 }, { password: "p".repeat(1025) }]) {
    await assert.rejects(sealCredential({ ...text, ...over } as CredentialText, of, unseal.publicKey));
  }
});
