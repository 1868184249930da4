/** Asking a person at the terminal, with or without showing what is typed; and reading a piped or a file's secret. */
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { readClosedFile } from "@sallyport/shared/closed-file.ts";
import { askUnseen, firstLine, type Refusals, readPiped } from "@sallyport/shared/terminal.ts";
import { type Ask, askNative } from "../install/windows/native-child.ts";
import { openToStrangers } from "../install/windows/own-lists.ts";
import { UsageError } from "./exit.ts";

/** One shown line. */
export async function askLine(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

export const REFUSALS: Refusals = {
  interrupted: () => new UsageError("cancelled"),
  tooLong: () => new UsageError("the standard input is longer than an enrolment code"),
};

/** One line that is not shown, or the first line of what is piped in. */
export const askSecret = async (question: string): Promise<string> => (await askUnseen(question, REFUSALS)).trim();

/** Windows, whose rights are in access lists. */
const WINDOWS = process.platform === "win32" ? askNative : undefined;

/** The first line of a file that is its owner's only; `-` is the standard input. */
export async function readSecretFile(file: string, windows: Ask | undefined = WINDOWS): Promise<string> {
  if (file === "-") return (await readPiped(REFUSALS)).trim();
  return readClosed(file, windows).trim();
}

/** A password from a file, `-` for the standard input: its first line as it is, spaces included. */
export async function readPasswordFile(file: string): Promise<string> {
  if (file === "-") return await readPiped(REFUSALS);
  return readClosed(file, WINDOWS);
}

/** The first line of a file that nobody but its owner may read; on Windows administrators and the system too. */
function readClosed(file: string, windows: Ask | undefined): string {
  const openToOthers = (mend: string) =>
    new UsageError(`others may read ${file}: ${mend}, and think of who has read the secret in it`);
  const text = readClosedFile(file, {
    unreadable: () => new UsageError(`${file} cannot be read`),
    openToOthers: () => openToOthers("chmod 600 it"),
  });
  if (windows !== undefined && openToStrangers([resolve(file)], windows).length > 0) {
    throw openToOthers("pipe the secret in (-), or keep it in a folder that only administrators can read");
  }
  return firstLine(text);
}
