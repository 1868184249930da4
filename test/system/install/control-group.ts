/** Control groups that a machine has made below its own. */
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../processes.ts";

/** Removes it with all below it; its processes have been killed, and are waited for. */
export async function removeControlGroup(group: string): Promise<void> {
  if (!existsSync(group)) return;
  await until(`the processes of ${group} end`, () => isEmptied(group));
}

function isEmptied(group: string): boolean {
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory() && !isEmptied(join(group, entry.name))) return false;
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    // A process that is ending still counts.
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
