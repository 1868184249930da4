/** Which agent the tests start: the sources, or what `SALLYPORT_AGENT_ENTRY` names, the bundle's entry above all. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../../agent/src/cli/main.ts", import.meta.url));

/** Path of the `sallyport` command line. @throws Error where the variable names no file. */
export function agentEntry(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment.SALLYPORT_AGENT_ENTRY;
  if (named === undefined || named === "") return SOURCE;
  const path = resolve(named);
  if (!existsSync(path)) throw new Error(`SALLYPORT_AGENT_ENTRY names ${path}, which is not there`);
  return path;
}
