import { Console } from "node:console";
import type { LogLevel } from "./rpc.ts";

/**
 * The host's log: one line an entry on stderr, `time level category message`. Standard output carries the ready line
 * alone, so the app's console goes to stderr as well.
 */

/** Writes one entry; line breaks inside a message are kept and indented. */
export function writeLog(level: LogLevel, category: string, message: string): void {
  const text = message.replaceAll("\n", "\n  ");
  process.stderr.write(`${new Date().toISOString()} ${level} ${category} ${text}\n`);
}

/** Moves everything the app prints by `console` to stderr. */
export function redirectConsole(): void {
  globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr });
}

/** An error as a person wants to read it: the stack where there is one. */
export function describeError(error: unknown): string {
  if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`;
  return String(error);
}
