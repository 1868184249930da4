/**
 * The installer installed, upgraded and removed by Wine's Windows Installer, without a question: files, registry, service, PATH.
 * Wine 8 gives no rights to folders, hides no property in its log and knows none of the tables of a service's configuration; of
 * those the tables speak alone, until somebody looks on Windows (test/windows/verify.ps1).
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildMsi } from "../../build/release/msi/build.ts";
import type { InstalledFile } from "../../build/release/msi/description.ts";
import { sallyportInstaller } from "../../build/release/msi/sallyport.ts";
import type { Check } from "../suite.ts";
import { windowsPath } from "../wine-prefix.ts";
import { readMsi } from "./tables.ts";
import { startWine, type Wine } from "./wine.ts";

const SERVICE = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Sallyport";
const EVENTS = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\Sallyport";
const ENVIRONMENT = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment";
const PROGRAMS = "Program Files/Sallyport";
const DATA = "ProgramData/Sallyport";

interface Version {
  readonly path: string;
  readonly files: readonly [InstalledFile, ...InstalledFile[]];
}

export async function checkInstalling(check: Check, work: string, epochSeconds: number): Promise<void> {
  const [one, next] = [await version(work, "1.2.3", epochSeconds), await version(work, "1.10.0", epochSeconds)];
  const wine = await startWine(join(work, "wine"));
  try {
    await checkSteps(check, work, wine, one, next);
  } finally {
    await wine.stop();
  }
}

async function version(work: string, number: string, epochSeconds: number): Promise<Version> {
  const [program, beside] = ["sallyport.exe", "koffi.node"].map((name) => {
    const path = join(work, `${number}-${name}`);
    writeFileSync(path, `MZ: ${name} of ${number}, and never run`);
    return { name, path };
  });
  const files = [program!, beside!] as const;
  const path = join(work, `${number}.msi`);
  writeFileSync(path, await buildMsi(sallyportInstaller(number, files), epochSeconds, join(work, `msi-${number}`)));
  return { path, files };
}

async function checkSteps(check: Check, work: string, wine: Wine, one: Version, next: Version): Promise<void> {
  const before = searchPath(await wine.registry(ENVIRONMENT));
  const silently = (...args: readonly string[]) => wine.run("msiexec", ...args, "/qn");
  const isInstalled = async (number: string, { files }: Version): Promise<void> => {
    assert.deepEqual(readdirSync(join(wine.drive, PROGRAMS, "versions")), [number]);
    const folder = join(wine.drive, PROGRAMS, "versions", number);
    assert.deepEqual(readdirSync(folder).sort(), files.map(({ name }) => name).sort());
    for (const { name, path } of files) assert.deepEqual(readFileSync(join(folder, name)), readFileSync(path), name);
    registryIs(await wine.registry(SERVICE, EVENTS, ENVIRONMENT), number, before);
  };

  await check(
    "installed without a question: the files, a service that does not run, the event source, PATH",
    async () => {
      assert.equal((await silently("/i", windowsPath(one.path))).code, 0);
      await isInstalled("1.2.3", one);
      assert.deepEqual(readdirSync(join(wine.drive, DATA)).sort(), ["config", "state"]);
      assert.match((await wine.run("sc", "query", "Sallyport")).output, /STATE\s*:\s*1\s+STOPPED/);
    },
  );

  const policy = join(wine.drive, DATA, "config/policy.yaml");
  await check("the next version takes its place; what the owner wrote stays", async () => {
    writeFileSync(policy, "the owner's\n");
    assert.equal((await silently("/i", windowsPath(next.path))).code, 0);
    await isInstalled("1.10.0", next);
    assert.equal(readFileSync(policy, "utf8"), "the owner's\n");
  });

  await check("an older version is refused, and nothing changes", async () => {
    assert.notEqual((await silently("/i", windowsPath(one.path))).code, 0);
    await isInstalled("1.10.0", next);
  });

  await check(
    "removed without a question: no program, service or event source; only what somebody wrote is left",
    async () => {
      const { table } = await readMsi(next.path, work);
      const code = table("Property").find(({ Property }) => Property === "ProductCode")?.Value;
      assert.equal((await silently("/x", code!)).code, 0);
      assert.ok(!existsSync(join(wine.drive, PROGRAMS)));
      const values = await wine.registry(SERVICE, EVENTS, ENVIRONMENT);
      assert.deepEqual(searchPath(values), before);
      assert.deepEqual(
        [...values.keys()].filter((key) => !key.startsWith(ENVIRONMENT)),
        [],
      );
      assert.deepEqual(readdirSync(join(wine.drive, DATA), { recursive: true }).sort(), [
        "config",
        "config/policy.yaml",
      ]);
    },
  );
}

function registryIs(values: ReadonlyMap<string, string>, number: string, before: readonly string[]): void {
  const folder = `C:\\Program Files\\Sallyport\\versions\\${number}\\`;
  // Wine puts no quotes around a program's path, Windows does.
  assert.equal(values.get(`${SERVICE}\\ImagePath`)?.replaceAll('"', ""), `${folder}sallyport.exe service host`);
  const wanted = { ObjectName: "NT SERVICE\\Sallyport", Start: "0x2", Type: "0x10" };
  for (const [name, value] of Object.entries(wanted)) assert.equal(values.get(`${SERVICE}\\${name}`), value, name);
  assert.equal(values.get(`${EVENTS}\\EventMessageFile`), "%SystemRoot%\\System32\\EventCreate.exe");
  assert.deepEqual(searchPath(values), [...before, folder]);
}

/** Folders in their order; Wine leaves a semicolon where it takes one away. */
const searchPath = (values: ReadonlyMap<string, string>): string[] =>
  (values.get(`${ENVIRONMENT}\\PATH`) ?? "").split(";").filter((folder) => folder !== "");
