/**
 * A machine with systemd as its process 1: this machine's own files, over which its changes lie, in name spaces of its own. It shares the
 * network, by which it reaches the stack. Its root sees no other process, its kernel settings and devices are not to be written.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childrenOf, commandLine, descendantsOf, status, stopChild, until } from "../processes.ts";
import { removeControlGroup } from "./control-group.ts";
import { type Root, type RunCommand, runIn } from "./root.ts";

/** What the tests here look after. */
export const SERVICE = "sallyport.service";

export interface Machine {
  /** What differs from this machine, by its path; what was removed is a device there (overlayfs of the Linux kernel). */
  readonly changes: string;
  /** Its files as they are seen from here, while it runs. */
  readonly root: Root;
  run: RunCommand;
  /** What its services have said since it was started. */
  log(): Promise<string>;
  /** The main process of one of its services, as it is called here; undefined where none runs. */
  processOf(unit: string): Promise<number | undefined>;
  /** A process, by what it is called in the machine. */
  process(inside: string): number | undefined;
  /** The cord is pulled, and put in again; resolves when all that starts with the machine has been started. */
  restart(): Promise<void>;
  /** Pulls the cord for good. */
  close(): Promise<void>;
}

/** Of what systemd would start here, only its log: the rest is this machine's business. */
const WANTED = [
  "sysinit.target.wants/systemd-journald.service",
  "sockets.target.wants/systemd-journald.socket",
  "sockets.target.wants/systemd-journald-dev-log.socket",
];

const DEVICES = ["null 1 3", "zero 1 5", "full 1 7", "random 1 8", "urandom 1 9", "tty 5 0"];

/** systemd ends at once where it cannot run. */
const STARTED_WITHIN_MS = 60_000;

/** @param folder an empty one of its own, on a file system that overlayfs can write to */
export async function startMachine(folder: string): Promise<Machine> {
  for (const name of ["changes", "work", "root"]) mkdirSync(join(folder, name));
  const changes = join(folder, "changes");
  const script = join(folder, "boot.sh");
  writeFileSync(script, bootScript(folder));
  let init = 0;
  let outer: ChildProcess | undefined;

  const machine: Machine = {
    changes,
    get root() {
      return { folder: `/proc/${init}/root`, mounts: [], init };
    },
    run: (command) => runIn(machine.root, command),
    log: () => machine.run({ args: ["/usr/bin/journalctl", "--no-pager", "--output=cat"] }),
    async processOf(unit) {
      const args = ["/usr/bin/systemctl", "show", "--property=MainPID", "--value", unit];
      const inside = (await machine.run({ args })).trim();
      return inside === "0" ? undefined : machine.process(inside);
    },
    process(inside) {
      // What it is called in each name space, from the outermost to its own: the machine's is the one whose first process is `init`.
      const depth = namesOf(init).length - 1;
      return descendantsOf(init).find((pid) => namesOf(pid)[depth] === inside);
    },
    async restart() {
      await off();
      await boot();
    },
    async close() {
      await off();
    },
  };
  const group = controlGroup();
  async function boot(): Promise<void> {
    const own = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"];
    mkdirSync(group, { recursive: true });
    const enter = `echo $$ > '${group}/cgroup.procs' && exec unshare ${own.join(" ")} sh -e '${script}'`;
    const child = spawn("sh", ["-c", enter], { stdio: ["ignore", "ignore", "pipe"] });
    outer = child;
    let said = "";
    child.stderr.on("data", (piece) => {
      said = `${said}${piece}`.slice(-2000);
    });
    await until(
      "systemd has started what starts with the machine",
      async () => {
        if (child.exitCode !== null) throw new Error(`the machine did not start: ${said}`);
        init = childrenOf(child.pid!).find((pid) => commandLine(pid)[0]?.endsWith("/systemd")) ?? 0;
        if (init === 0) return false;
        const state = await machine
          .run({ args: ["/bin/sh", "-c", "systemctl is-system-running || true"] })
          .catch(({ message }: Error) => message);
        return /^(running|degraded)$/m.test(state);
      },
      STARTED_WITHIN_MS,
    );
  }
  async function off(): Promise<void> {
    await stopChild(outer, "SIGKILL");
    await removeControlGroup(group);
  }
  await boot();
  return machine;
}

const namesOf = (pid: number): string[] => /^NSpid:\s+(.*)$/m.exec(status(pid))?.[1]?.split(/\s+/) ?? [];

/** A group of its own below the root of the hierarchy that systemd uses (cgroups(7), version 2). */
function controlGroup(): string {
  const mount = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1];
  if (mount === undefined) throw new Error("this machine has no control groups of version 2");
  return join(mount, `sallyport-test-${randomBytes(4).toString("hex")}`);
}

/** What an administrator's machine has before systemd takes over (https://systemd.io/CONTAINER_INTERFACE). */
const bootScript = (folder: string): string => `
cd '${folder}'
mount --make-rprivate /
mount -t overlay overlay -o lowerdir=/,upperdir=changes,workdir=work root
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
${DEVICES.map((each) => each.replace(/^(\w+) (\d+ \d+)$/, "mknod -m 666 dev/$1 c $2")).join("\n")}
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
if [ ! -e etc/sallyport-test-machine ]; then
  rm -rf etc/systemd/system/* usr/lib/systemd/system/*.wants
${WANTED.map((path) => `  mkdir -p ${`usr/lib/systemd/system/${path.split("/")[0]}`} && ln -s ../${path.split("/")[1]} usr/lib/systemd/system/${path}`).join("\n")}
  ln -sf multi-user.target usr/lib/systemd/system/default.target
  rm -f etc/fstab
  # It would have the kernel write its audit of all of this machine.
  ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
  cat /proc/sys/kernel/random/uuid | tr -d - > etc/machine-id
  : > etc/sallyport-test-machine
fi
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside
exec env -i container=sallyport-test PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --log-target=journal --show-status=0
`;
