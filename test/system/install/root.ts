/** A root file system of its own, in which commands run as on a machine that has nothing else. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runScript } from "./releases.ts";

export interface Root {
  readonly folder: string;
  /** Shell lines that mount what the system has, before a command is started. */
  readonly mounts: readonly string[];
  /** Process 1 of a machine whose root this is; commands enter its name spaces then. */
  readonly init?: number;
}

export interface RootCommand {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** As whom; root otherwise. Without capabilities, and without a way to get any. */
  readonly user?: { readonly uid: string; readonly gid: string } | undefined;
}

/** Runs a command to its end wherever that is. @throws with what it wrote where it fails */
export type RunCommand = (command: RootCommand) => Promise<string>;

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
export const startIn = (root: Root, command: RootCommand): ChildProcess =>
  spawn("unshare", ["--mount", "sh", "-c", scriptOf(root, command)], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...command.environment },
    stdio: ["ignore", "ignore", "pipe"],
  });

function scriptOf({ folder, mounts, init }: Root, { args, user }: RootCommand): string {
  const as =
    user === undefined
      ? []
      : [
          ...["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"],
          ...["--no-new-privs", "--bounding-set=-all"],
        ];
  const into =
    init === undefined
      ? ["chroot", folder]
      : ["nsenter", `--target=${init}`, "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"];
  const command = [...into, ...as, ...args].map((each) => `'${each.replaceAll("'", "'\\''")}'`).join(" ");
  // Temporary files of this process have a folder that is not in every root.
  return [...mounts, "unset TMPDIR", `exec ${command}`].join(" && ");
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
