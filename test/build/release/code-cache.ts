/** The executor's compiled code for a release: bytes on which two rehearsals agree. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AGENT_MAIN } from "../agent.ts";
import { addCodeCache } from "../code-cache.ts";
import { sha256 } from "./sbom.ts";

/** Measured: eight of ten rehearsals on a busy machine end in the same bytes, the others each in their own. */
const MOST = 8;

/** Rehearses until a cache comes for the second time. @throws where none does */
export async function agreeOnCodeCache(folder: string): Promise<void> {
  const seen = new Set<string>();
  for (let rehearsal = 0; rehearsal < MOST; rehearsal += 1) {
    const sum = sha256(readFileSync(cacheIn(folder)));
    if (seen.has(sum)) return;
    seen.add(sum);
    rmSync(cacheIn(folder));
    await addCodeCache(join(folder, AGENT_MAIN));
  }
  throw new Error(`The executor's compiled code was another each time, in ${MOST} rehearsals.`);
}

function cacheIn(folder: string): string {
  const name = readdirSync(folder).find((each) => each.endsWith(".cache"));
  if (name === undefined) throw new Error(`${folder} has no compiled code`);
  return join(folder, name);
}
