import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { installerName, productVersion, uuidOf } from "./names.ts";

describe("names of an installer", () => {
  it("a name gives one UUID of version 5, other names others, wherever a name ends", () => {
    assert.match(uuidOf("a", "b"), /^[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/);
    assert.equal(uuidOf("a", "b"), uuidOf("a", "b"));
    assert.equal(new Set([uuidOf("ab"), uuidOf("a", "b"), uuidOf("", "ab"), uuidOf("AB")]).size, 4);
  });

  it("the code by which Windows knows the next version never changes", () => {
    assert.equal(uuidOf("upgrade"), "7584C059-A586-54E5-AB36-C4CB4006F237");
  });

  it("a long name gets a short one before it, a short one stays", () => {
    assert.equal(installerName("koffi.exe"), "koffi.exe");
    assert.equal(installerName("versions"), "versions");
    assert.equal(installerName("sallyport.exe"), "SALLYPOR.EXE|sallyport.exe");
    assert.equal(installerName("THIRD-PARTY-NOTICES.txt"), "THIRDPAR.TXT|THIRD-PARTY-NOTICES.txt");
    assert.equal(installerName("0.1.0"), "010|0.1.0");
  });

  it("a version that Windows Installer cannot compare is refused", () => {
    assert.equal(productVersion("255.255.65535"), "255.255.65535");
    for (const version of ["256.0.0", "1.256.0", "1.0.65536", "1.0", "1.0.0.1", "1.0.0-beta.1"])
      assert.throws(() => productVersion(version), /cannot have the version/, version);
  });
});
