/** A root file system of its own, in which commands run as on a machine that has nothing else. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runScript } from "./releases.ts";

export interface Root {
  readonly folder: string;
  /** Shell lines that mount what the system has, before a command is started. */
  readonly mounts: readonly string[];
}

export interface RootCommand {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** As whom; root otherwise. Without capabilities, and without a way to get any. */
  readonly user?: { readonly uid: string; readonly gid: string } | undefined;
  /** What a unit leaves it; nothing is taken from it otherwise. */
  readonly confinement?: Confinement;
}

export interface Confinement {
  /** All that it and its children can ever have, as setpriv(1) calls them. */
  readonly capabilities: readonly string[];
  /** Folders; all else is read only, but for a temporary folder of its own. `/` is everything. */
  readonly writable: readonly string[];
  readonly umask: string;
  readonly hasNetwork: boolean;
}

/** Every root has them, and a container's runtime brings them. */
export function addDevices(folder: string): void {
  mkdirSync(join(folder, "dev"), { recursive: true });
  for (const [name, minor] of [
    ["null", 3],
    ["zero", 5],
    ["random", 8],
    ["urandom", 9],
  ] as const)
    execFileSync("mknod", ["-m", "666", join(folder, "dev", name), "c", "1", `${minor}`]);
}

export const write = (root: Root, path: string, text: string, mode = 0o644): void => {
  const file = join(root.folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
};

/** Runs it to its end. @throws with what it wrote where it fails */
export const runIn = (root: Root, command: RootCommand): Promise<string> =>
  runScript(scriptOf(root, command), command.environment, command.input);

/** Starts what goes on; its process is the command's own. */
export const startIn = (root: Root, command: RootCommand): ChildProcess => {
  const own = ["--mount", ...(command.confinement?.hasNetwork === false ? ["--net"] : [])];
  return spawn("unshare", [...own, "sh", "-c", scriptOf(root, command)], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...command.environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
};

function scriptOf(root: Root, { args, user, confinement }: RootCommand): string {
  const who = user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
  const kept = (confinement?.capabilities ?? []).map((each) => `,+${each}`).join("");
  const as =
    user === undefined && confinement === undefined
      ? []
      : ["setpriv", ...who, "--no-new-privs", `--bounding-set=-all${kept}`];
  const command = ["chroot", root.folder, ...as, ...args].map((each) => `'${each.replaceAll("'", "'\\''")}'`).join(" ");
  const umask = confinement === undefined ? [] : [`umask ${confinement.umask}`];
  return [...mountsOf(root, confinement), ...umask, `exec ${command}`].join(" && ");
}

/** As `ProtectSystem=strict` with `ReadWritePaths=` and `PrivateTmp=` has it (systemd.exec(5)). */
function mountsOf({ folder, mounts }: Root, confinement: Confinement | undefined): readonly string[] {
  const writable = confinement?.writable ?? ["/"];
  if (writable.includes("/")) return mounts;
  return [
    `mount --bind '${folder}' '${folder}'`,
    ...writable.map((path) => `mount --bind '${folder}${path}' '${folder}${path}'`),
    ...mounts,
    `mount -t tmpfs -o mode=1777 tmpfs '${folder}/tmp'`,
    `mount -o remount,bind,ro '${folder}'`,
  ];
}

/** Each path below the root with what it is; devices, and what `isIgnored` names, left out. */
export function listing(folder: string, isIgnored: (path: string) => boolean = () => false): string[] {
  const below = (path: string): string[] =>
    readdirSync(join(folder, path)).flatMap((name) => {
      const entry = `${path}/${name}`;
      if (isIgnored(entry)) return [];
      const stat = lstatSync(join(folder, entry));
      if (stat.isDirectory()) return [`${entry}/`, ...below(entry)];
      return [stat.isSymbolicLink() ? `${entry} -> ${readlinkSync(join(folder, entry))}` : entry];
    });
  return existsSync(folder) ? below("").sort() : [];
}
