/** What the scanners must find: marks and cores put where none may be. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { coresIn } from "./files.ts";

export interface Planted {
  readonly pid: number;
  end(): Promise<void>;
}

/** A process that has the text as an argument and in its environment, and so in its memory. */
export async function plantInProcess(text: string): Promise<Planted> {
  const child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1e6)", text], {
    env: { PLANTED: text },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return {
    pid: child.pid!,
    async end() {
      child.kill("SIGKILL");
      await once(child, "close");
    },
  };
}

/** Where this kernel puts cores into a process's own folder, a real one; elsewhere a file named like one. */
export async function plantCore(look: (folder: string, before: ReadonlySet<string>) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cores-"));
  try {
    const before = new Set(coresIn(folder));
    if (!(await dumpInto(folder))) writeFileSync(join(folder, "core.1"), "");
    look(folder, before);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function dumpInto(folder: string): Promise<boolean> {
  if (!/^core/.test(readFileSync("/proc/sys/kernel/core_pattern", "utf8"))) return false;
  // A shell is a small process; its core is 1 MB at most.
  const limit = ["--core=67108864:67108864", "--", "/bin/sh", "-c", "kill -SEGV $$"];
  const child = spawn("prlimit", limit, { cwd: folder, stdio: "ignore" });
  await once(child, "close");
  return coresIn(folder).length > 0;
}
