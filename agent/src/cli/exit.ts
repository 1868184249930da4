/** Exit codes of every verb (after BSD's sysexits), and which error ends with which. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ConfigError, NotNowError } from "../config-error.ts";

export const EXIT = {
  ok: 0,
  /** The answer is no. */
  no: 1,
  usage: 64,
  policyInvalid: 65,
  unreachable: 69,
  internal: 70,
  tryAgain: 75,
  refused: 77,
  configuration: 78,
} as const;

/** A wrong command line; the message says how it goes. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What the parser finds wrong, said as every other error is: `error: unknown option '--colour'\n(Did you mean …?)`. */
export const parserError = (parsers: string): UsageError =>
  new UsageError(`${parsers.replace(/^error: /, "").replaceAll("\n", " ")}\n  Add --help to see how it goes.`);

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof ConfigError) return EXIT.configuration;
  if (error instanceof NotNowError) return EXIT.tryAgain;
  if (!(error instanceof SallyportError)) return EXIT.internal;
  switch (error.code) {
    case "enrolment.mistyped":
      return EXIT.usage;
    case "policy.invalid":
      return EXIT.policyInvalid;
    case "settings.invalid":
      return EXIT.configuration;
    case "network.unreachable":
    case "network.proxy":
    case "network.proxy_login":
    case "network.tls":
      return EXIT.unreachable;
    // A disk that is full, or away, comes back without a word to whatever starts the agent.
    case "agent.journal_unwritable":
    case "enrolment.too_many_tries":
    case "api.internal":
      return EXIT.tryAgain;
    default:
      return EXIT.refused;
  }
}
