/** Debian's packages with which an installer is made, signed, read and tried. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";

/** One program of each. */
const PACKAGES = {
  wixl: "/usr/bin/wixl",
  msitools: "/usr/bin/msibuild",
  osslsigncode: "/usr/bin/osslsigncode",
  wine: "/usr/bin/wine",
  wine64: "/usr/lib/wine/wine64",
} as const;
type Name = keyof typeof PACKAGES;

/** Without them there is no installer. */
export const MAKING: readonly Name[] = ["wixl", "msitools"];
export const ALL: readonly Name[] = [...MAKING, "osslsigncode", "wine", "wine64"];

/** Installs what is missing, where that is allowed. @throws Error with the command that a person would give */
export function installPackages(wanted: readonly Name[]): void {
  const missing = () => wanted.filter((name) => !isThere(PACKAGES[name]));
  const names = missing();
  if (names.length === 0) return;
  const args = ["install", "-y", "--no-install-recommends", ...names];
  if (process.getuid?.() !== 0) throw new Error(`As root: apt-get ${args.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
  execFileSync("apt-get", [...args, "-qq"], { env, stdio: "ignore" });
  if (missing().length > 0) throw new Error(`${missing().join(", ")} is still missing`);
}

function isThere(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
