import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { publicKeyLine, readPublicKey, signMinisign, verifyMinisign } from "./minisign.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const keys = [readPublicKey(publicKeyLine(privateKey))];
const content = Buffer.from('{"v":1}');
const signature = signMinisign(content, privateKey, "version:1.2.3");

describe("minisign", () => {
  it("verifies what it signed, and by a key file with its comment", () => {
    assert.ok(verifyMinisign(content, signature, keys));
    const file = `untrusted comment: minisign public key\n${publicKeyLine(privateKey)}\n`;
    assert.ok(verifyMinisign(content, signature, [readPublicKey(file)]));
  });

  it("checks what minisign itself made", () => {
    // The example of the crate minisign-verify (https://docs.rs/minisign-verify).
    const theirs = readPublicKey("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
    const made = [
      "untrusted comment: signature from minisign secret key",
      "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=",
      "trusted comment: timestamp:1556193335\tfile:test",
      "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==",
    ].join("\n");
    assert.ok(verifyMinisign(Buffer.from("test"), made, [theirs]));
    assert.ok(!verifyMinisign(Buffer.from("Test"), made, [theirs]));
  });

  it("refuses every change of a byte, in the content and in the signed lines", () => {
    const parts = signature.split("\n");
    const signed = [1, 2, 3].flatMap((line) => {
      const start = parts.slice(0, line).join("\n").length + 1;
      return Array.from({ length: parts[line]!.length }, (_, at) => start + at);
    });
    fc.assert(
      fc.property(fc.constantFrom(...signed), fc.integer({ min: 33, max: 126 }), (at, code) => {
        const changed = `${signature.slice(0, at)}${String.fromCharCode(code)}${signature.slice(at + 1)}`;
        assert.equal(verifyMinisign(content, changed, keys), changed === signature);
      }),
    );
    fc.assert(
      fc.property(fc.nat(content.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(content);
        changed[at] = changed[at]! ^ flip;
        assert.equal(verifyMinisign(changed, signature, keys), false);
      }),
    );
  });

  it("refuses another key, no key, the older kind, and any text", () => {
    const other = [readPublicKey(publicKeyLine(generateKeyPairSync("ed25519").privateKey))];
    assert.equal(verifyMinisign(content, signature, other), false);
    assert.equal(verifyMinisign(content, signature, []), false);
    // Another key under the id of a known one.
    assert.equal(verifyMinisign(content, signature, [{ id: keys[0]!.id, key: other[0]!.key }]), false);
    const line = signature.split("\n")[1]!;
    const older = Buffer.from(line, "base64");
    older.write("Ed");
    assert.equal(verifyMinisign(content, signature.replace(line, older.toString("base64")), keys), false);
    fc.assert(fc.property(fc.string(), (text) => !verifyMinisign(content, text, keys)));
    for (const text of ["", "RWQ", `${publicKeyLine(privateKey)}A`, "AAAA"]) assert.throws(() => readPublicKey(text));
    assert.throws(() => signMinisign(content, privateKey, "two\nlines"));
  });
});
