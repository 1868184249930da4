import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InstalledFile, Installer } from "./description.ts";
import { sallyportInstaller } from "./sallyport.ts";
import { statementsOf } from "./statements.ts";
import { wxsOf } from "./wxs.ts";

const PROGRAM: InstalledFile = { name: "sallyport.exe", path: "/made/sallyport.exe" };
const KOFFI: InstalledFile = { name: "koffi.node", path: "/made/koffi.node" };
const installer = (version = "1.2.3"): Installer => sallyportInstaller(version, [PROGRAM, KOFFI]);

describe("the installer's description becomes tables", () => {
  it("a sign of XML in a value cannot become one", () => {
    const text = wxsOf({ ...installer(), manufacturer: 'A & B <"C">' }, {});
    assert.ok(text.includes('Manufacturer="A &amp; B &lt;&quot;C&quot;&gt;"'));
  });

  it("a quote in a value cannot end it", () => {
    assert.throws(
      () => statementsOf({ ...installer(), hiddenProperties: ["A') --"] }, {}),
      /cannot stand in a statement/,
    );
  });

  it("two files of one short name are refused", () => {
    const twice = sallyportInstaller("1.2.3", [PROGRAM, { name: "sallyports.exe", path: "/made/other" }]);
    assert.throws(() => statementsOf(twice, {}), /one short name/);
  });

  it("the updater is a service of the same program that somebody has to ask for, and goes with it", () => {
    const text = wxsOf(installer(), {});
    assert.match(
      text,
      /<ServiceInstall Id="SallyportUpdate" Name="SallyportUpdate" [^>]*Start="demand" [^>]*Account="LocalSystem" Arguments="service update-host"\/>/,
    );
    assert.match(
      text,
      /<ServiceControl Id="SallyportUpdate" Name="SallyportUpdate" Stop="both" Remove="uninstall" Wait="yes"\/>/,
    );
    assert.match(text, /<ServiceInstall Id="Sallyport" [^>]*Start="auto" /);
  });

  it("another version is another product and other components, of the same family", () => {
    const ids = (text: string, attribute: string) =>
      [...text.matchAll(new RegExp(` ${attribute}="([0-9A-F-]{36})"`, "g"))].map(([, id]) => id!);
    const [one, next] = [wxsOf(installer("1.2.3"), {}), wxsOf(installer("1.2.4"), {})];
    assert.deepEqual(ids(one, "UpgradeCode"), ids(next, "UpgradeCode"));
    assert.notDeepEqual(ids(one, "Id"), ids(next, "Id"));
    const [guids, nextGuids] = [ids(one, "Guid"), ids(next, "Guid")];
    assert.equal(new Set(guids).size, guids.length);
    // The folders of the data are the same folders; the program's files lie elsewhere.
    assert.equal(guids.filter((id) => nextGuids.includes(id)).length, installer().dataFolders.length);
  });

  it("a file that says its version is compared by that, and has no sum beside it", () => {
    const statements = statementsOf(installer(), { "sallyport.exe": "24.21.0.0" });
    assert.ok(statements.some((each) => each.includes("`Version` = '24.21.0.0'") && each.includes("'sallyport.exe'")));
    assert.ok(statements.includes("DELETE FROM `MsiFileHash` WHERE `File_` = 'sallyport.exe'"));
    assert.ok(!statements.some((each) => each.startsWith("DELETE") && each.includes("koffi")));
  });
});
