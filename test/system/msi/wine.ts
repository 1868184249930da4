/** What installers are tried with, by Wine. What it cannot do is in installing.ts. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { driveOf, FIRST_COMMAND, WINE_WITHIN_MS, wineEnvironment } from "../wine-prefix.ts";

export interface Wine {
  readonly drive: string;
  /** Runs one of Windows' programs to its end. Answers its exit code, its lowest eight bits, and what it printed. */
  run(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
  /** Values of these keys as `reg query` shows them, by `key\\value`; none of a key that is not there. One start for all. */
  registry(...keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Ends all of its processes. */
  stop(): Promise<void>;
}

export async function startWine(folder: string): Promise<Wine> {
  mkdirSync(join(folder, "prefix"), { recursive: true });
  const env = wineEnvironment(folder);
  const run = async (program: string, args: readonly string[]) => {
    try {
      const { stdout } = await promisify(execFile)(program, args, { env, timeout: WINE_WITHIN_MS });
      return { code: 0, output: stdout };
    } catch (error) {
      const { code, stdout } = error as { readonly code?: unknown; readonly stdout?: string };
      if (typeof code !== "number") throw error;
      return { code, output: stdout ?? "" };
    }
  };
  const booted = await run("wine", FIRST_COMMAND);
  if (booted.code !== 0) throw new Error(`Wine does not start: ${booted.output}`);
  const drive = driveOf(folder);
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
