/** Files that a person names, read whole. */
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { CliError, EXIT } from "./exit.ts";

/** @param next what to do where it cannot be read. @throws CliError with exit code 78 */
export function readTextFile(file: string, next: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new CliError(EXIT.configuration, `${file} cannot be read (${code}).`, next);
  }
}

/** A file's text, or the standard input's for `-`. @throws CliError with exit code 78 */
export const readInput = async (file: string): Promise<string> =>
  file === "-" ? await text(process.stdin) : readTextFile(file, "Name a file, or - for the standard input.");
