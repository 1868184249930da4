/** Peak memory and CPU of the product's processes while something runs. */
import { setTimeout as pause } from "node:timers/promises";
import { childrenOf, peakBytes, resetPeak, timesOf } from "./processes.ts";

/** Short-lived executors are looked at this often; what they take in their last moment is missed. */
const SAMPLE_MS = 50;

export interface Watched {
  readonly supervisor: number;
  readonly functionHost: number;
  readonly source: number;
}

export interface Usage {
  readonly seconds: number;
  /** CPU-seconds. `executor`: the whole lives of those that ended meanwhile, their start before included. */
  readonly cpu: Readonly<Record<"supervisor" | "executor" | "functionHost" | "source", number>>;
  /** Resident bytes at most. `executor`: of the largest one, its start included. */
  readonly peak: Readonly<Record<"supervisor" | "executor" | "functionHost", number>>;
}

/** Runs `work` and says what it took. Resolves once the executors that served it have ended. */
export async function watch<T>(watched: Watched, work: () => Promise<T>): Promise<{ result: T; usage: Usage }> {
  const { supervisor, functionHost, source } = watched;
  const peaks = new Map<number, number>();
  const sample = () => {
    for (const pid of childrenOf(supervisor)) peaks.set(pid, Math.max(peakBytes(pid) ?? 0, peaks.get(pid) ?? 0));
  };
  const before = { supervisor: times(supervisor), host: times(functionHost), source: times(source) };
  for (const pid of [supervisor, functionHost]) resetPeak(pid);
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  const startedMs = performance.now();
  try {
    const result = await work();
    const seconds = (performance.now() - startedMs) / 1000;
    while (times(supervisor).ended === before.supervisor.ended) await pause(SAMPLE_MS);
    const after = times(supervisor);
    const cpu = {
      supervisor: after.own - before.supervisor.own,
      executor: after.ended - before.supervisor.ended,
      functionHost: times(functionHost).own - before.host.own,
      source: times(source).own - before.source.own,
    };
    const peak = {
      supervisor: peakBytes(supervisor) ?? 0,
      executor: Math.max(...peaks.values()),
      functionHost: peakBytes(functionHost) ?? 0,
    };
    return { result, usage: { seconds, cpu, peak } };
  } finally {
    clearInterval(timer);
  }
}

function times(pid: number) {
  const found = timesOf(pid);
  if (found === undefined) throw new Error(`process ${pid} has ended`);
  return found;
}
