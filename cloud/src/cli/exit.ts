/** Exit codes of every verb (after BSD's sysexits), and the two kinds of errors that a verb ends with. */
import { ERRORS, isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Problem } from "@sallyport/shared/schema/api.ts";

export const EXIT = {
  ok: 0,
  /** The answer is no: the run failed, there is no such thing, it exists already. */
  no: 1,
  usage: 64,
  unreachable: 69,
  internal: 70,
  tryAgain: 75,
  refused: 77,
  configuration: 78,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** What this side finds wrong, before or instead of an answer. `next`: what the person does about it. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: Exit;
  readonly next: string;
  constructor(exit: Exit, message: string, next: string) {
    super(message);
    this.exit = exit;
    this.next = next;
  }
}

/** What the parser finds wrong, said as every other error is: `error: unknown option '--colour'\n(Did you mean …?)`. */
export const usageError = (parsers: string): CliError =>
  new CliError(EXIT.usage, parsers.replace(/^error: /, "").replaceAll("\n", " "), "Add --help to see how it goes.");

/** The orchestrator said no, in problem details. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export function exitCodeOf(error: unknown): Exit {
  if (error instanceof CliError) return error.exit;
  if (!(error instanceof ApiProblem)) return EXIT.internal;
  const { code, status } = error.problem;
  if (status === 401 || status === 403) return EXIT.refused;
  if (code === "api.invalid" || code === "api.too_large") return EXIT.usage;
  if (code === "settings.invalid") return EXIT.configuration;
  // A code of a newer orchestrator: its status says as much.
  const retry = isErrorCode(code) ? ERRORS[code].retry !== "never" : status === 429 || status >= 500;
  return retry ? EXIT.tryAgain : EXIT.no;
}

/** What to do next, in the words of this command line; undefined where the advice says it all. */
export function nextStep({ code, facts = {} }: Problem): string | undefined {
  switch (code) {
    case "api.unauthenticated":
      return "Give a key that is valid: SALLYPORT_API_KEY in the environment, or --key-file FILE.";
    case "api.forbidden":
      return `Somebody with the scope keys:write makes such a key: sallyportctl keys create NAME --scope ${String(facts.scope ?? "SCOPE")}`;
    case "api.not_found":
      return "See what there is: the verb `list` of the same noun, with the right --tenant.";
    default:
      return undefined;
  }
}
