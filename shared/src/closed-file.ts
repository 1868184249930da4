/** Files with a secret that a person names: read only where nobody but their owner may. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";

const OTHERS = 0o077;

/** Whether anybody but its owner may do anything with it. On Windows rights are in access lists, which a mode does not show. */
export const isOpenToOthers = ({ mode }: { readonly mode: number }): boolean =>
  process.platform !== "win32" && (mode & OTHERS) !== 0;

/** The errors of a command line for a file that is not read; both are wrong uses of it. */
export interface FileRefusals {
  /** `code`: the system's, `ENOENT`. */
  readonly unreadable: (code: string) => Error;
  /** `mode`: `0644`. */
  readonly openToOthers: (mode: string) => Error;
}

/** All of the file, which is held open while it is looked at. @throws what `refusals` make */
export function readClosedFile(file: string, refusals: FileRefusals): string {
  const attempt = <T>(act: () => T): T => {
    try {
      return act();
    } catch (thrown) {
      throw refusals.unreadable((thrown as NodeJS.ErrnoException).code ?? "unknown");
    }
  };
  const descriptor = attempt(() => openSync(file, "r"));
  try {
    const status = attempt(() => fstatSync(descriptor));
    if (isOpenToOthers(status)) throw refusals.openToOthers((status.mode & 0o777).toString(8).padStart(4, "0"));
    return attempt(() => readFileSync(descriptor, "utf8"));
  } finally {
    closeSync(descriptor);
  }
}
