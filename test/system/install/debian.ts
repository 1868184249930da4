/**
 * A Debian of two dozen programs: what the package's scripts call, dpkg's database with the packages that it depends on, and a
 * systemctl that writes down what it was told, and asks the test's systemd where that is there.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemFiles } from "../../build/release/libraries.ts";
import { systemctlText } from "../systemctl.ts";
import { runScript } from "./releases.ts";
import { addDevices, type Root, write } from "./root.ts";

const PROGRAMS = [
  ...["sh", "env", "id", "ln", "mv", "rm", "cat", "grep", "mkdir", "touch", "setpriv", "prlimit"].map(
    (name) => `/usr/bin/${name}`,
  ),
  ...["useradd", "userdel"].map((name) => `/usr/sbin/${name}`),
];
const DEPENDS = ["libc6", "libstdc++6", "coreutils", "util-linux", "passwd"];

/** Whoever reads this file sees what the service manager was asked to do. */
export const CALLS = "/var/log/systemctl";
/** Where systemd listens for systemctl; without it, it is only written down. */
export const SOCKET = "/run/systemd/private";
/** Links to the units that start with the machine. */
export const WANTS = "/etc/systemd/system/multi-user.target.wants";
/** The test's own Node, which is no part of the package. */
const NODE = "/usr/lib/systemd/node";
const ASK = "/usr/lib/systemd/ask";

const SHOWN = `MainPID=4711
NRestarts=2
ExecMainStatus=75
ExecMainExitTimestampMonotonic=1
ActiveState=active
UnitFileState=enabled`;

const SYSTEMCTL = `#!/bin/sh
[ -e ${SOCKET} ] || echo "$*" >> ${CALLS}
case "$1" in
  enable) shift; for unit in "$@"; do ln -sf /etc/systemd/system/$unit ${WANTS}/$unit; done; set -- enable "$@" ;;
  disable) shift; for unit in "$@"; do rm -f ${WANTS}/$unit; done; set -- disable "$@" ;;
  is-enabled) [ -e ${WANTS}/sallyport.service ] || exit 1 ;;
esac
if [ -e ${SOCKET} ]; then exec ${ASK} "$@"; fi
[ "$1" != show ] || echo '${SHOWN}'
`;

/** @param node its libraries are what the package depends on */
export function makeDebian(folder: string, node: string): Root {
  const mounts = [`mount -t proc proc '${join(folder, "proc")}'`, `mount --bind '${node}' '${join(folder, NODE)}'`];
  const root: Root = { folder, mounts };
  for (const name of [
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib64",
    "proc",
    "run/systemd/system",
    "tmp",
    "var/log",
    "opt",
    WANTS,
  ])
    mkdirSync(join(folder, name), { recursive: true });
  // As Debian has had them since 12.
  for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(folder, name));
  for (const { path, bytes, mode } of systemFiles(PROGRAMS, [node])) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes, { mode });
  }
  addDevices(folder);
  write(root, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  write(root, "/etc/group", "root:x:0:\n");
  write(root, "/etc/shadow", "root:*:19000:0:99999:7:::\n", 0o600);
  write(root, "/etc/gshadow", "root:*::\n", 0o600);
  write(root, "/etc/hosts", "127.0.0.1 localhost\n");
  write(root, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
  if (existsSync("/etc/login.defs")) copyFileSync("/etc/login.defs", join(folder, "etc/login.defs"));
  write(root, NODE, "");
  for (const [path, text] of [
    ["/usr/bin/systemctl", SYSTEMCTL],
    [ASK, systemctlText(NODE, SOCKET)],
  ] as const) {
    write(root, path, text);
    chmodSync(join(folder, path), 0o755);
  }
  for (const name of ["info", "updates", "triggers"])
    mkdirSync(join(folder, "var/lib/dpkg", name), { recursive: true });
  write(root, "/var/lib/dpkg/status", DEPENDS.map(stanzaOf).join("\n"));
  return root;
}

/** As this machine's dpkg has it: its versions are those of the files that were copied. */
function stanzaOf(name: string): string {
  const { status, stdout } = spawnSync("dpkg-query", ["--status", name], { encoding: "utf8" });
  if (status !== 0) throw new Error(`this machine's dpkg knows no ${name}`);
  return `${stdout.trimEnd()}\n`;
}

/** Runs dpkg on the root, whose scripts then run in it. @throws with what it wrote where it fails */
export const dpkg = async ({ folder, mounts }: Root, action: string, what: string): Promise<void> => {
  await runScript([...mounts, `exec dpkg '--root=${folder}' '${action}' '${what}'`].join(" && "));
};

/** What systemctl was told since the last time. */
export function callsOf({ folder }: Root): string[] {
  const file = join(folder, CALLS);
  if (!existsSync(file)) return [];
  const calls = readFileSync(file, "utf8").trimEnd().split("\n");
  writeFileSync(file, "");
  return calls.filter((call) => call !== "");
}
