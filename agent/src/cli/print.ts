/** How verbs answer: text for people, or with `--json` one object for programs; errors with their code and advice. */
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";

import { type Colour, painted, plain, plainJson } from "@sallyport/shared/terminal.ts";
import { noColour } from "../config.ts";
import { exitCodeOf } from "./exit.ts";

export { counted } from "@sallyport/shared/terminal.ts";

export interface OutputOptions {
  readonly json?: boolean;
}

/**
 * Names of sites and tenants are the orchestrator's, names in the journal whoever's asked: nothing of it is obeyed.
 * @param paint gives a line, plain by then, its colours
 */
export function print(
  options: OutputOptions,
  value: unknown,
  lines: readonly string[],
  paint: (line: string, index: number) => string = (line) => line,
): void {
  const text = (): string => lines.map((line, index) => paint(plain(line), index)).join("\n");
  process.stdout.write(options.json === true ? `${plainJson(value)}\n` : `${text()}\n`);
}

/** For `paint`: on a terminal, and not with NO_COLOR. */
export const coloured = (text: string, colour: Colour | undefined): string =>
  painted(text, colour, process.stdout, noColour());

/** Prints to stderr what happened and what to do next, and sets the exit code. */
export function fail(error: unknown, options: OutputOptions): void {
  process.exitCode = exitCodeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof SallyportError ? error.code : undefined;
  const advice = code === undefined ? undefined : ERRORS[code].advice;
  if (options.json === true) process.stdout.write(`${plainJson({ error: { code, message, advice } })}\n`);
  else {
    const text = message.split("\n").map(plain).join("\n");
    process.stderr.write(`sallyport: ${text}${code === undefined ? "" : `\n  ${code}: ${advice}`}\n`);
  }
}

/** Columns padded to their widest cell, two spaces between. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
