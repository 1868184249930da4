/** Where the pages are that advice names: the Debian package brings them, other installations do not. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const INSTALLED = "/usr/share/doc/sallyport";

/** The page's path on this machine where it is there, else where it is found. @param name `checks/files.md` */
export function docsPage(name: string, installed: string = INSTALLED): string {
  const path = join(installed, name);
  return existsSync(path) ? path : `docs/${name} of the repository`;
}
