/** Asking a person at the terminal, with or without showing what is typed; and reading a piped or a file's secret. */
import { createInterface } from "node:readline/promises";
import { readClosedFile } from "@sallyport/shared/secret-file.ts";
import { askUnseen, firstLine, type Refusals, readPiped } from "@sallyport/shared/terminal.ts";
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

/** The first line of a file that is its owner's only; `-` is the standard input. */
export async function readSecretFile(file: string): Promise<string> {
  if (file === "-") return (await readPiped(REFUSALS)).trim();
  return readClosed(file).trim();
}

/** A password from a file, `-` for the standard input: its first line as it is, spaces included. */
export async function readPasswordFile(file: string): Promise<string> {
  if (file === "-") return await readPiped(REFUSALS);
  return readClosed(file);
}

/** The first line of a file that nobody but its owner may read. */
const readClosed = (file: string): string =>
  firstLine(
    readClosedFile(file, {
      unreadable: () => new UsageError(`${file} cannot be read`),
      openToOthers: () =>
        new UsageError(`others may read ${file}: chmod 600 it, and think of who has read the secret in it`),
    }),
  );
