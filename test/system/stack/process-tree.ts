/** What a process and all it has started hold on this machine, as Linux's /proc tells: processes and listening sockets. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

export interface Held {
  /** Processes by id and start time, which no later one has. */
  readonly processes: ReadonlySet<string>;
  readonly listening: readonly { readonly inode: string; readonly address: string; readonly port: number }[];
}

interface Stat {
  readonly pid: string;
  readonly parent: string;
  readonly group: string;
  readonly key: string;
}

/** The process, its descendants, and the groups that these lead. */
export function heldBy(pid: number): Held {
  const all = running();
  const tree = new Set([String(pid)]);
  for (let before = 0; before !== tree.size; ) {
    before = tree.size;
    for (const each of all) if (tree.has(each.parent) || tree.has(each.group)) tree.add(each.pid);
  }
  const sockets = new Set([...tree].flatMap(socketsOf));
  return {
    processes: new Set(all.filter((each) => tree.has(each.pid)).map(({ key }) => key)),
    listening: listeningSockets().filter(({ inode }) => sockets.has(inode)),
  };
}

/** The one process whose command line has this text. */
export function processWith({ processes }: Held, text: string): number {
  const found = running().filter(({ key, pid }) => processes.has(key) && textOf(pid, "cmdline").includes(text));
  if (found.length !== 1) throw new Error(`${found.length} processes have ${text} in their command line`);
  return Number(found[0]!.pid);
}

/** Command lines of what is left of it: its processes, and any that names its folder. Sockets are named by their port. */
export function leftOf({ processes, listening }: Held, folder: string | undefined): string[] {
  const inodes = new Set(listening.map(({ inode }) => inode));
  return [
    ...running()
      .filter(({ key, pid }) => processes.has(key) || (folder !== undefined && names(pid, folder)))
      .map(({ pid }) => `process ${pid}: ${textOf(pid, "cmdline").replaceAll("\0", " ")}`),
    ...listeningSockets()
      .filter(({ inode }) => inodes.has(inode))
      .map(({ port }) => `port ${port}`),
  ];
}

/** Waits until nothing is left: the kernel ends processes a moment after the one that they are bound to. */
export async function untilNothingIsLeft(held: Held, folder: string | undefined, mostMs = 10_000): Promise<void> {
  const deadline = performance.now() + mostMs;
  for (let left = leftOf(held, folder); left.length > 0; left = leftOf(held, folder)) {
    if (performance.now() > deadline) throw new Error(`still there: ${left.join("; ")}`);
    await pause(10);
  }
}

/** All processes but those that have ended and wait to be collected. */
function running(): Stat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      // `pid (name) state ppid pgrp …`, the 22nd field is the start time (proc_pid_stat(5)); a name may hold anything.
      const text = textOf(pid, "stat");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const [state, parent = "", group = ""] = fields;
      return text === "" || state === "Z" || state === "X" ? [] : [{ pid, parent, group, key: `${pid}@${fields[19]}` }];
    });
}

function names(pid: string, folder: string): boolean {
  if (pid === String(process.pid)) return false;
  return [textOf(pid, "cmdline"), textOf(pid, "environ"), linkOf(`/proc/${pid}/cwd`)].some((text) =>
    text.includes(folder),
  );
}

function socketsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    return [];
  }
}

const LISTEN = "0A";

/** Rows of /proc/net/tcp and tcp6: `sl local_address rem_address st …`, inode in the tenth column (proc_pid_net(5)). */
function listeningSockets(): Held["listening"] {
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((row) => row.trim().split(/\s+/))
      .filter((row) => row[3] === LISTEN)
      .map((row) => {
        const [address = "", port = ""] = (row[1] ?? "").split(":");
        return { inode: row[9] ?? "", address, port: Number.parseInt(port, 16) };
      }),
  );
}

function textOf(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // it has ended, or is another account's
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
