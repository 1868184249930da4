/** The owner's lock, as an administrator sets it: a file in the agent's `control` folder. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const fileIn = (stateDir: string): string => join(stateDir, "control", "lock");

export const lock = (stateDir: string): void => writeFileSync(fileIn(stateDir), "");
export const unlock = (stateDir: string): void => rmSync(fileIn(stateDir));
