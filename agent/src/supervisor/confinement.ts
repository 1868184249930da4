/** What the supervisor reads about an executor from /proc, because the executor's own word counts for nothing. */
import { readFileSync } from "node:fs";

/** Resident bytes of a process; undefined when it has gone, or where there is no /proc. */
export function residentBytes(pid: number): number | undefined {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, "status") ?? "");
  return match === null ? undefined : Number(match[1]) * 1024;
}

/** Whether the process can dump core: with a limit other than 0, hard or soft, it could. Undefined where unknown. */
export function canDumpCore(pid: number): boolean | undefined {
  const match = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(readProc(pid, "limits") ?? "");
  return match === null ? undefined : match[1] !== "0" || match[2] !== "0";
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return undefined;
  }
}
