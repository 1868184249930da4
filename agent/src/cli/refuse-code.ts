/** An enrolment code on the command line would stand in the shell's history and in the process list. */
import { UsageError } from "./exit.ts";

/** @throws UsageError before anything is parsed: the parser would repeat the code. */
export function refuseCodeOnCommandLine(args: readonly string[]): void {
  if (args[0] === "enroll" && args.some((arg) => /^--?code(=|$)/.test(arg))) {
    throw codeOnCommandLine();
  }
}

export const codeOnCommandLine = (): UsageError =>
  new UsageError("the code is never given on the command line: use --code-file, or type it when asked");
