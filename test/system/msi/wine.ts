/** A Windows of one test's own, by Wine: a folder with a drive C and a registry. What it cannot do is in installing.ts. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const TIMEOUT_MS = 180_000;

export interface Wine {
  readonly drive: string;
  /** Runs one of Windows' programs to its end. Answers its exit code, its lowest eight bits, and what it printed. */
  run(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
  /** Values of these keys as `reg query` shows them, by `key\\value`; none of a key that is not there. One start for all. */
  registry(...keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Ends all of its processes. */
  stop(): Promise<void>;
}

/** A path of ours as it is called there. */
export const windowsPath = (path: string): string => `Z:${path.replaceAll("/", "\\")}`;

export async function startWine(folder: string): Promise<Wine> {
  mkdirSync(folder, { recursive: true });
  const env = {
    ...{ PATH: process.env.PATH, HOME: folder, WINEPREFIX: join(folder, "prefix"), LC_ALL: "C.UTF-8" },
    // No window, no sound, none of the runtimes that it would offer to fetch.
    ...{ WINEDEBUG: "-all", WINEARCH: "win64", WINEDLLOVERRIDES: "mscoree,mshtml=" },
  };
  const run = async (program: string, args: readonly string[]) => {
    try {
      const { stdout } = await promisify(execFile)(program, args, { env, timeout: TIMEOUT_MS });
      return { code: 0, output: stdout };
    } catch (error) {
      const { code, stdout } = error as { readonly code?: unknown; readonly stdout?: string };
      if (typeof code !== "number") throw error;
      return { code, output: stdout ?? "" };
    }
  };
  const booted = await run("wine", ["wineboot", "--init"]);
  if (booted.code !== 0) throw new Error(`Wine does not start: ${booted.output}`);
  const drive = join(folder, "prefix/drive_c");
  return {
    drive,
    run: (...args) => run("wine", args),
    async registry(...keys) {
      const queries = keys.map((key) => `reg query "${key}"\r\n`);
      writeFileSync(join(drive, "registry.bat"), `@echo off\r\n${queries.join("")}`);
      return valuesIn((await run("wine", ["cmd", "/c", "C:\\registry.bat"])).output);
    },
    async stop() {
      await run("wineserver", ["--kill"]);
      await run("wineserver", ["--wait"]);
    },
  };
}

/** A key a line, its values indented below it: name, type and content, four spaces apart. */
function valuesIn(output: string): Map<string, string> {
  const values = new Map<string, string>();
  let key = "";
  for (const line of output.split(/\r?\n/)) {
    const [, name, content = ""] = /^ {4}(.+?) {4}REG_\w+(?: {4}(.*))?$/.exec(line) ?? [];
    if (name !== undefined) values.set(`${key}\\${name}`, content);
    else if (line !== "") key = line;
  }
  return values;
}
