/**
 * Makes a Windows Installer package on Linux: wixl writes the tables and the cabinet, msibuild what wixl cannot. The bytes depend on
 * the description, the files and one time; on nothing of the machine but the versions of these two tools.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Installer } from "./description.ts";
import { uuidOf } from "./names.ts";
import { statementsOf } from "./statements.ts";
import { setSummaryTimes } from "./summary.ts";
import { fileVersion } from "./version-resource.ts";
import { wxsOf } from "./wxs.ts";

const TIMEOUT_MS = 300_000;

/** @param work an empty folder @throws Error where a tool is missing or says anything but nothing */
export async function buildMsi(installer: Installer, epochSeconds: number, work: string): Promise<Buffer> {
  mkdirSync(work, { recursive: true });
  const versions: Record<string, string> = {};
  const sums = createHash("sha256");
  for (const { name, path } of installer.files) {
    const copy = join(work, name);
    copyFileSync(path, copy);
    // The cabinet keeps it.
    utimesSync(copy, epochSeconds, epochSeconds);
    const bytes = readFileSync(copy);
    const version = fileVersion(bytes);
    if (version !== undefined) versions[name] = version;
    sums.update(`${name}\0${createHash("sha256").update(bytes).digest("hex")}\n`);
  }
  const statements = statementsOf(installer, versions);
  const source = wxsOf(installer, {});
  writeFileSync(join(work, "package.wxs"), source);
  await run("wixl", ["--arch", "x64", "--output", "package.msi", "package.wxs"], work);
  await run("msibuild", ["package.msi", "-q", ...statements], work);
  // Two packages of one code must be one package: it follows from all that is in this one.
  const code = uuidOf("package", `${epochSeconds}`, sums.digest("hex"), source, ...statements);
  const subject = `${installer.name} ${installer.version}`;
  await run("msibuild", ["package.msi", "-s", subject, installer.manufacturer, "x64;1033", `{${code}}`], work);
  const msi = readFileSync(join(work, "package.msi"));
  setSummaryTimes(msi, epochSeconds);
  return msi;
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const environment = { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
  const said = await promisify(execFile)(program, args, { cwd, env: environment, timeout: TIMEOUT_MS }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      throw new Error(`${program} is missing: Debian has it in the packages wixl and msitools`);
    },
  );
  // wixl only warns of what it passes over.
  const text = `${said.stdout}${said.stderr}`.trim();
  if (text !== "") throw new Error(`${program} said: ${text}`);
}
