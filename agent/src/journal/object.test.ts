import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isMaskedDn, maskDn } from "./object.ts";

for (const [dn, masked] of [
  ["CN=Jane Doe,OU=Staff,DC=corp,DC=example", "CN=*,OU=Staff,DC=corp,DC=example"],
  ["ou=Staff, dc=corp , dc=example", "OU=Staff,DC=corp,DC=example"],
  [String.raw`CN=Doe\, Jane,OU=R\,D,DC=corp`, String.raw`CN=*,OU=R\,D,DC=corp`],
  ['CN="Doe, Jane";OU=Staff', "CN=*,OU=Staff"],
  ["CN=Jane+UID=jdoe,DC=corp", "CN=*+UID=*,DC=corp"],
  ["CN=a=b,DC=corp", "CN=*,DC=corp"],
  ["2.5.4.3=Jane,DC=corp", "2.5.4.3=*,DC=corp"],
  ['OU="Jane, Doe",DC=corp', "OU=*,DC=corp"],
  [String.raw`OU=Staff\\,DC=corp`, String.raw`OU=Staff\\,DC=corp`],
  [String.raw`DC=corp\ `.trim(), "DC=*"],
  [`OU=${"x".repeat(129)},DC=corp`, "OU=*,DC=corp"],
  ["OU=,DC=corp", "OU=*,DC=corp"],
] as const) {
  test(`${dn} is ${masked}`, () => assert.equal(maskDn(dn), masked));
}

for (const none of ["", "Jane Doe", "Jane Doe,DC=corp", "CN=a,,DC=b", "=x", "C N=x", "<GUID=6f9619ff>,DC=x"]) {
  test(`${JSON.stringify(none)} is no DN`, () => assert.equal(maskDn(none), undefined));
}

test("whatever names somebody: nothing of its value is left", () => {
  const value = fc.string({ minLength: 1, maxLength: 40, unit: "binary" });
  const escaped = (text: string) => text.replace(/[,;+"\\<>=#\p{Cc} ]/gu, (letter) => `\\${letter}`);
  fc.assert(
    fc.property(value, fc.constantFrom("CN", "UID", "SN", "E", "STREET", "O", "1.2.3"), (person, type) => {
      const mark = `Mark${person}Mark`;
      for (const written of [escaped(mark), `"${mark.replace(/["\\]/g, "\\$&")}"`]) {
        const masked = maskDn(`${type}=${written},OU=Staff,DC=corp`);
        assert.equal(masked, `${type}=*,OU=Staff,DC=corp`);
        assert.ok(isMaskedDn(masked ?? ""));
      }
    }),
  );
});

test("a long one that is none is seen to be none without trying every combination", () => {
  assert.equal(isMaskedDn(`${"OU=*,".repeat(190)}!`), false);
  assert.equal(isMaskedDn(`OU=${"\\a".repeat(400)}"`), false);
  assert.equal(isMaskedDn(`${"OU=*,".repeat(190)}CN=*`), true);
});

test("any text at all comes out masked, or not at all", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const masked = maskDn(text);
      assert.ok(masked === undefined || isMaskedDn(masked));
    }),
  );
});
