/** The real Bicep compiler, where this machine has one: it is named by a setting, or lies where azd and az put theirs. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** The compiler's path. Nothing needs it: without one there are the rules over the parse tree. */
export function findBicep(env: NodeJS.ProcessEnv): string | undefined {
  const { SALLYPORT_BICEP, PATH = "", HOME = "" } = env;
  if (SALLYPORT_BICEP) return SALLYPORT_BICEP;
  const folders = [...PATH.split(delimiter), join(HOME, ".azd/bin"), join(HOME, ".azure/bin")];
  return folders.map((folder) => join(folder, "bicep")).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the compiler says about a file, errors and warnings, a line each; nothing where all is well. */
export async function bicepSays(bicep: string, file: string): Promise<string> {
  const env = { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: "1" };
  const run = async (command: "build" | "lint") => {
    const args = [command, file, ...(command === "build" ? ["--stdout"] : [])];
    // A compiler that ends with an error has said why.
    const ended = await promisify(execFile)(bicep, args, { env, maxBuffer: 64 * 1024 * 1024 }).catch(
      (thrown: { stderr?: string; stdout?: string; message: string }) => ({ stderr: thrown.stderr || thrown.message }),
    );
    return ended.stderr;
  };
  return [await run("build"), await run("lint")].join("").trim();
}
