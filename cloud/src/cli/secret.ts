/** Secrets come from the environment, a file that only its owner reads, or the terminal; never from the command line. */
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import { readClosedFile } from "@sallyport/shared/closed-file.ts";
import { askUnseen, firstLine, type Refusals } from "@sallyport/shared/terminal.ts";
import { CliError, EXIT } from "./exit.ts";

const KEY = /sp_[a-z0-9-]{1,40}_[A-Za-z0-9_-]{43}/;
/** Options that people expect on tools like this one, and would follow with a secret. */
const SECRET_OPTION = /^--?(api-?key|key|password|pass|secret|token|bearer)(=|$)/i;

/**
 * Looks at the command line before anything else does: what stands there is seen by every user of the machine, and kept
 * in the shell's history. Nothing of it is repeated. @throws CliError
 */
export function refuseSecrets(args: readonly string[], key: string | undefined): void {
  const holdsKey = args.some((arg) => KEY.test(arg) || (key !== undefined && key.length >= 8 && arg.includes(key)));
  const holdsUser = args.some((arg) => /^(--url=)?https?:\/\/[^/]*@/i.test(arg));
  if (holdsKey || holdsUser || args.some((arg) => SECRET_OPTION.test(arg))) {
    throw new CliError(
      EXIT.usage,
      "A key or password on the command line is refused: every user of this machine sees it, and the shell keeps it.",
      "An API key comes as SALLYPORT_API_KEY or --key-file FILE, a password by --password-file FILE or when asked. What stood here should be replaced.",
    );
  }
}

/**
 * The first line of a file that nobody but its owner may read. On Windows the folder's rights are all there is to rely on.
 * @throws CliError that names the file, never what is in it
 */
export const readSecretFile = (file: string, what: string): string => firstLine(readWholeSecret(file, what));

/** All of such a file. @throws CliError that names the file, never what is in it */
export const readWholeSecret = (file: string, what: string): string =>
  readClosedFile(file, {
    unreadable: (code) => new CliError(EXIT.usage, `${file} cannot be read (${code}).`, `Name a file with ${what}.`),
    openToOthers: (mode) =>
      new CliError(EXIT.usage, `${file} has the mode ${mode}: others may read ${what}.`, `chmod 600 ${file}`),
  });

/** A new file that only its owner reads. @throws CliError when there is one already */
export function openSecretFile(file: string): { write(secret: string): void; remove(): void } {
  const attempt = <T>(act: () => T): T => {
    try {
      return act();
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      throw new CliError(
        EXIT.configuration,
        `${file} cannot be written (${code}).`,
        "Name a file that is not there yet.",
      );
    }
  };
  // Held open: by its name, somebody who may write the folder could have put another file there meanwhile.
  const descriptor = attempt(() => openSync(file, "wx", 0o600));
  return {
    write: (secret) =>
      attempt(() => {
        writeFileSync(descriptor, `${secret}\n`);
        closeSync(descriptor);
      }),
    remove: () => rmSync(file, { force: true }),
  };
}

const REFUSALS: Refusals = {
  interrupted: () => new CliError(EXIT.usage, "Interrupted.", "Nothing was stored."),
  tooLong: () => new CliError(EXIT.usage, "The standard input is longer than a password.", "Pipe one line."),
};

/** One line that is not shown while it is typed, or the first line of what is piped in. @throws CliError */
export const askSecret = (question: string): Promise<string> => askUnseen(question, REFUSALS);
