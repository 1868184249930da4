import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceSid, sidBytes, sidText } from "./sid.ts";

test("a service's SID is the one that Windows makes of its name", () => {
  // The one that everybody has seen, as the owner of Windows' own files.
  const trustedInstaller = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
  assert.equal(serviceSid("TrustedInstaller"), trustedInstaller);
  assert.equal(serviceSid("TRUSTEDINSTALLER"), trustedInstaller);
  assert.notEqual(serviceSid("Sallyport"), serviceSid("SallyportUpdate"));
});

test("binary SIDs as text", () => {
  const text = (hex: string) => sidText(Buffer.from(hex, "hex"));
  assert.equal(text("010100000000000512000000"), "S-1-5-18");
  assert.equal(text("01020000000000052000000020020000"), "S-1-5-32-544");
  // Bytes after it are no part of it, since buffers are longer.
  assert.equal(text("01010000000000051400000000000000"), "S-1-5-20");
  for (const hex of ["", "0201000000000005", "0102000000000005200000", "01ff000000000005"])
    assert.throws(() => text(hex), /not a SID/, hex);
});

test("SIDs as Windows' calls want them are those that it gives", () => {
  for (const text of ["S-1-5-18", "S-1-5-32-544", serviceSid("Sallyport")]) assert.equal(sidText(sidBytes(text)), text);
  for (const text of [
    "",
    "SY",
    "S-1",
    "S-1-5",
    "S-2-5-18",
    "S-1-5-18 ",
    "S-1-5-4294967296",
    "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
  ])
    assert.throws(() => sidBytes(text), text);
});
