/** The directory connector against a real domain controller: Samba's, which the suite installs, provisions and stops itself. */
import { fileURLToPath } from "node:url";
import { installPackages, SAMBA } from "../packages.ts";
import type { Suite } from "../suite.ts";
import { runInNamespace } from "./namespace.ts";

export const directory: Suite = {
  name: "directory",
  about: "the directory connector against a Samba domain controller of its own",
  async run(check, { seed } = {}) {
    if (!(await check("Samba, Kerberos and LDAP tools are here", () => installPackages(SAMBA)))) return;
    const args = seed === undefined ? [] : [`${seed}`];
    await runInNamespace(fileURLToPath(new URL("inside.ts", import.meta.url)), args, check);
  },
};
