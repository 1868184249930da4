/** What Linux says of processes, in /proc (proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5)). */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Ticks of a second in /proc: USER_HZ, which is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessTimes {
  readonly parent: number;
  /** CPU-seconds of the process itself, in user and system mode, all threads. */
  readonly own: number;
  /** Those of its children that have ended and were waited for, and of theirs. */
  readonly ended: number;
}

/** undefined when the process has gone. */
export function timesOf(pid: number): ProcessTimes | undefined {
  const stat = readProc(pid, "stat");
  if (stat === undefined) return undefined;
  // The name before the last parenthesis may hold spaces; field 3, the state, follows it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const seconds = (field: number) => Number(fields[field - 3]) / TICKS_PER_SECOND;
  return { parent: Number(fields[1]), own: seconds(14) + seconds(15), ended: seconds(16) + seconds(17) };
}

/** Bytes that were resident at most since the start, or since `resetPeak`; undefined when the process has gone. */
export const peakBytes = (pid: number): number | undefined => kilobytes(readProc(pid, "status"), "VmHWM");

/** Lets the peak begin anew at what is resident now (proc_pid_clear_refs(5)). */
export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** Bytes that are resident now, and those of them that are the process's own: what it costs beside others like it. */
export function memoryOf(pid: number): { readonly resident: number; readonly own: number } {
  const rollup = readProc(pid, "smaps_rollup");
  const sum = (...names: string[]) => names.reduce((all, name) => all + (kilobytes(rollup, name) ?? 0), 0);
  return { resident: sum("Rss"), own: sum("Private_Clean", "Private_Dirty") };
}

export const commandOf = (pid: number): string => (readProc(pid, "cmdline") ?? "").replaceAll("\0", " ");

export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((each) => each > 0 && timesOf(each)?.parent === pid);
}

function kilobytes(text: string | undefined, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text ?? "");
  return match === null ? undefined : Number(match[1]) * 1024;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
