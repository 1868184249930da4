import assert from "node:assert/strict";
import { test } from "node:test";
import { parentText, parseDn } from "./distinguished-name.ts";

const read = (text: string): string | undefined =>
  parseDn(text)
    ?.map((parts) => parts.map(({ type, value }) => `${type}:${value}`).join("+"))
    .join("|");

const NAMES: readonly (readonly [text: string, read: string])[] = [
  ["CN=Kari,OU=Staff,DC=corp", "CN:Kari|OU:Staff|DC:corp"],
  ["cn = Kari , ou=Staff", "CN:Kari|OU:Staff"],
  ["2.5.4.3=a,OID.2.5.4.11=b,0.9.2342.19200300.100.1.25=c", "CN:a|OU:b|DC:c"],
  ["CN=Nordmann\\, Kari,OU=x", "CN:Nordmann, Kari|OU:x"],
  ["CN=a\\2Cb,OU=x", "CN:a,b|OU:x"],
  ["CN=a\\+b+SN=c", "CN:a+b+SN:c"],
  ["SN=c+CN=a", "CN:a+SN:c"],
  ["CN=\\ a\\ ,OU=x", "CN: a |OU:x"],
  ["CN=a\\\\,OU=x", "CN:a\\|OU:x"],
  ["CN=a\\\\\\ ,OU=x", "CN:a\\ |OU:x"],
  ["CN=Lu\\C4\\8Di\\C4\\87", "CN:Lučić"],
  ["CN=Ærlig Øst", "CN:Ærlig Øst"],
  ["CN=a=b", "CN:a=b"],
];
for (const [text, expected] of NAMES) test(`${text} is read`, () => assert.equal(read(text), expected));

const NONE = [
  ...["", "Kari", "=x", "CN=", "CN= ,OU=x", "CN=a,,OU=b", "CN=a,", ",CN=a", "C N=a", "CN=a;OU=b", 'CN="a,b"', "CN=<a>"],
  ...["CN=a\\", "CN=a\\zb", "CN=\\FF", "CN=#0401", "CN=a\\00b", "CN=a\nb", "<GUID=aa>,DC=x", "CN=a+,OU=b", "CN=\ud800"],
  ...[`CN=${"a".repeat(1100)}`, Array.from({ length: 65 }, () => "OU=a").join(",")],
];
for (const text of NONE) {
  test(`${JSON.stringify(text).slice(0, 40)} is no name`, () => assert.equal(parseDn(text), undefined));
}

test("what a name stands under is what comes after its first part", () => {
  assert.equal(parentText("CN=a\\,b,OU=x,DC=y"), "OU=x,DC=y");
  assert.equal(parentText("DC=y"), undefined);
});
