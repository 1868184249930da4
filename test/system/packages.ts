/** Debian's packages that suites need beside what every machine has. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";

/** By name, each with a file by which it is known to be there. */
export type Packages = Readonly<Record<string, string>>;

/** With which an installer for Windows is made. */
export const WIXL: Packages = { wixl: "/usr/bin/wixl", msitools: "/usr/bin/msibuild" };
export const SIGNING: Packages = { osslsigncode: "/usr/bin/osslsigncode" };
export const WINE: Packages = { wine: "/usr/bin/wine", wine64: "/usr/lib/wine/wine64" };

/** A container engine that needs no daemon. */
export const PODMAN: Packages = { podman: "/usr/bin/podman", crun: "/usr/bin/crun" };

const SCHEMA = "/usr/share/samba/setup/ad-schema";
/** A domain controller, whose modules `samba` only recommends, and clients of a directory that share no code with ours. */
export const SAMBA: Packages = {
  ...{ samba: "/usr/sbin/samba", "samba-ad-provision": SCHEMA, "samba-dsdb-modules": SCHEMA },
  ...{ "samba-vfs-modules": SCHEMA, winbind: "/usr/sbin/winbindd" },
  ...{ "krb5-user": "/usr/bin/kinit", "ldb-tools": "/usr/bin/ldbadd", "ldap-utils": "/usr/bin/ldapsearch" },
};

/** Installs what is missing, where that is allowed. @throws Error with the command that a person would give */
export function installPackages(wanted: Packages): void {
  const missing = (): string[] => Object.entries(wanted).flatMap(([name, file]) => (isThere(file) ? [] : [name]));
  const names = missing();
  if (names.length === 0) return;
  const args = ["install", "-y", "--no-install-recommends", ...names];
  if (process.getuid?.() !== 0) throw new Error(`As root: apt-get ${args.join(" ")}`);
  // Nothing of it may start by itself: what runs is the suite's own. Another suite may be installing, too.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  execFileSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
  execFileSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=600", ...args], { env, stdio: "ignore" });
  if (missing().length > 0) throw new Error(`${missing().join(", ")} is still missing`);
}

function isThere(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
