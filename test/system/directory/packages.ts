/** Debian's packages with a domain controller, and clients of a directory that share no code with ours. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";

/** The modules and the template of a domain are of their own packages, which `samba` only recommends. */
const PACKAGES = [
  ...["samba", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules", "winbind"],
  ...["krb5-user", "ldb-tools", "ldap-utils"],
];
const PROGRAMS = [
  "/usr/sbin/samba",
  "/usr/bin/samba-tool",
  "/usr/bin/ldbadd",
  "/usr/bin/kinit",
  "/usr/bin/ldapsearch",
  "/usr/share/samba/setup/ad-schema",
];

/** Installs what is missing, where that is allowed. @throws Error with the command that a person would give */
export function installPackages(): void {
  if (isInstalled()) return;
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(" ")}`;
  if (process.getuid?.() !== 0) throw new Error(`As root: ${command}`);
  // Nothing of it may start by itself: the controller is the suite's own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  execFileSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
  execFileSync("apt-get", [...command.split(" ").slice(1), "-qq"], { env, stdio: "ignore" });
  if (!isInstalled()) throw new Error(`Some program is still missing after: ${command}`);
}

const isInstalled = (): boolean =>
  PROGRAMS.every((program) => {
    try {
      accessSync(program, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
