/** A secret on the command line would stand in the shell's history and in the process list: none is ever taken there. */
import { UsageError } from "./exit.ts";

/** Options that people expect on tools like this one, and would follow with a secret. */
const SECRET_OPTION = /^--?(code|password|pass|passphrase|secret|token|bearer|api-?key|key|credential)(=|$)/i;
/** An enrolment code, written as it is shown, and an API key. */
const SECRETS = [/\b[0-9A-Z]{4}-[0-9A-Z]{4}\.[0-9A-Z]{4}(-[0-9A-Z]{4}){4}/i, /\bsp_[a-z0-9-]{1,40}_[A-Za-z0-9_-]{43}/];
/** `http://user:password@host`, also behind `--option=`. */
const LOGIN_IN_URL = /^(--[a-z-]+=)?[a-z]+:\/\/[^/]*@/i;

/** @throws UsageError before anything is parsed, for the parser would repeat it; nothing of it is in the message. */
export function refuseSecrets(args: readonly string[]): void {
  const [verb] = args;
  if (args.some((arg) => LOGIN_IN_URL.test(arg))) throw loginOnCommandLine();
  const isSecret = (arg: string): boolean => SECRET_OPTION.test(arg) || SECRETS.some((form) => form.test(arg));
  if (args.some(isSecret)) throw verb === "enroll" ? codeOnCommandLine() : secretOnCommandLine();
}

export const codeOnCommandLine = (): UsageError =>
  new UsageError("the code is never given on the command line: use --code-file, or type it when asked");

const secretOnCommandLine = (): UsageError =>
  new UsageError(
    "a password, key or code on the command line is refused: every user of this machine sees it, and the shell keeps it. " +
      "It comes from a file, a pipe, or is asked for. What stood here should be replaced",
  );

const loginOnCommandLine = (): UsageError =>
  new UsageError(
    "a user and password in an address are never given on the command line, where every process sees them: " +
      "a proxy's belong into agent.yaml (`proxy: http://user:password@host:port`), readable by the agent's account only; then enrol",
  );
