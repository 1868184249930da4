import assert from "node:assert/strict";
import { win32 } from "node:path";
import { describe, it } from "node:test";
import { commandWith, versionIn } from "./command.ts";

const VERSIONS = "C:\\Program Files\\Sallyport\\versions";
const command = (version: string, rest: string): string => `"${VERSIONS}\\${version}\\sallyport.exe"${rest}`;

describe("a service's command names a version", () => {
  it("with quotes, without, whatever arguments come behind, and however somebody wrote the folder", () => {
    for (const text of [
      command("1.2.3", " service host"),
      command("1.2.3", ""),
      `${VERSIONS}\\1.2.3\\sallyport.exe service host --insecure-files`,
      command("1.2.3", " service update-host").replace("Program Files", "PROGRAM FILES"),
    ])
      assert.equal(versionIn(text, VERSIONS, win32), "1.2.3", text);
  });

  it("only with the installation's own program, and a version's own folder", () => {
    for (const text of [
      "",
      '"C:\\Windows\\System32\\cmd.exe" /c x',
      command("1.2.3", " service host").replace("sallyport.exe", "other.exe"),
      command("1.2.3", " service host").replace("Program Files", "Temp"),
      command("..", " service host"),
      `"${VERSIONS}\\1.2.3\\inner\\sallyport.exe" service host`,
      `"${VERSIONS}\\1.2.3\\sallyport.exe"service host`,
    ])
      assert.equal(versionIn(text, VERSIONS, win32), undefined, text);
  });

  it("and another one with the same arguments, in quotes from then on", () => {
    const rest = " service host --insecure-files";
    assert.equal(commandWith(command("1.2.3", rest), VERSIONS, "2.0.0", win32), command("2.0.0", rest));
    const bare = `${VERSIONS}\\1.2.3\\sallyport.exe service host`;
    assert.equal(commandWith(bare, VERSIONS, "1.2.4", win32), command("1.2.4", " service host"));
    assert.throws(() => commandWith("cmd.exe /c x", VERSIONS, "1.2.4", win32), /none of/);
  });
});
