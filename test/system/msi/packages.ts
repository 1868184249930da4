/** Debian's packages with which an installer is made, signed, read and tried. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";

const PROGRAMS: Readonly<Record<string, string>> = {
  "/usr/bin/wixl": "wixl",
  "/usr/bin/msibuild": "msitools",
  "/usr/bin/osslsigncode": "osslsigncode",
  "/usr/bin/wine": "wine",
  "/usr/lib/wine/wine64": "wine64",
};

/** Installs what is missing, where that is allowed. @throws Error with the command that a person would give */
export function installPackages(): void {
  const missing = () => [
    ...new Set(
      Object.entries(PROGRAMS)
        .filter(([program]) => !isThere(program))
        .map(([, name]) => name),
    ),
  ];
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
