/** What verbs share: options of the same words, and how each ends. */
import { defaultStateDir } from "../config.ts";
import { fail, type OutputOptions } from "./print.ts";

export const STATE_OPTION = ["--state <dir>", "the agent's folder", defaultStateDir()] as const;
export const JSON_OPTION = ["--json", "one JSON object on the standard output"] as const;

/** Does what the verb is for; what is thrown is printed, and sets the exit code. */
export async function guarded(options: OutputOptions, act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    fail(error, options);
  }
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90m`, `24h` or `7d` in milliseconds; undefined for anything else. */
export function spanMs(text: string): number | undefined {
  const [, count, unit] = /^([1-9][0-9]{0,4})([mhd])$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
