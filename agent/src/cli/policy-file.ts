/** Which policy file a verb is about: the one that is named, or that of the agent's folder. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError } from "../config-error.ts";
import { statePaths } from "../state.ts";
import type { OutputOptions } from "./print.ts";

export interface PolicyOptions extends OutputOptions {
  readonly state: string;
}

/** @throws ConfigError */
export function readPolicyFile(file: string | undefined, options: PolicyOptions): { path: string; text: string } {
  const path = file === undefined ? statePaths(resolve(options.state)).policy : resolve(file);
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch {
    throw new ConfigError(`${path} cannot be read`);
  }
}
