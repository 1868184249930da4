/** Where a start keeps what it makes: `.sallyport/<time>-<pid>/`, the last three of them. */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const KEPT = 3;

/** Makes a fresh folder below `root` and removes the oldest ones whose process has gone. */
export function freshFolder(root: string, now: Date, pid: number): string {
  const parent = join(root, ".sallyport");
  const folder = join(parent, `${now.toISOString().replace(/[:.]/g, "-")}-${pid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ended = readdirSync(parent)
    .sort()
    .filter((name) => !isRunning(Number(name.slice(name.lastIndexOf("-") + 1))));
  for (const name of ended.slice(0, Math.max(0, ended.length - KEPT + 1))) {
    rmSync(join(parent, name), { recursive: true, force: true });
  }
  return folder;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}
