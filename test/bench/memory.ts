/** `memory`: peak memory of the product's processes while a result of 5 GB passes, against one of 0.5 GB. */
import type { Measured } from "./results.ts";
import { fillWide, wideSize } from "./rows.ts";
import { definePull, onSite, runWhole } from "./site.ts";
import { type Usage, watch } from "./watch.ts";

const SMALL_BYTES = 0.5e9;
const LARGE_BYTES = 5e9;

interface Pass extends Usage {
  readonly wireBytes: number;
}

export interface MemoryOptions {
  readonly runs: number;
  readonly say: (line: string) => void;
}

export async function benchMemory({ runs, say }: MemoryOptions): Promise<Measured[]> {
  const passes: Record<"small" | "large", Pass[]> = { small: [], large: [] };
  for (let run = 1; run <= runs; run++) {
    for (const [size, bytes] of [
      ["small", SMALL_BYTES],
      ["large", LARGE_BYTES],
    ] as const) {
      const done = await pass(bytes);
      passes[size].push(done);
      say(`run ${run}: ${(done.wireBytes / 1e9).toFixed(2)} GB in ${done.seconds.toFixed(1)} s`);
    }
  }
  const compared = (metric: string, unit: string, of: (one: Pass) => number): Measured => ({
    metric,
    unit,
    ours: passes.large.map(of),
    peer: { name: "the same with 0.5 GB", values: passes.small.map(of) },
  });
  const megabytes = (process: keyof Usage["peak"]) => (one: Pass) => one.peak[process] / 1e6;
  return [
    compared("peak RSS of the supervisor", "MB", megabytes("supervisor")),
    compared("peak RSS of the executor", "MB", megabytes("executor")),
    compared("peak RSS of the function host", "MB", megabytes("functionHost")),
    compared("bytes on the wire", "GB", (one) => one.wireBytes / 1e9),
    compared("throughput", "MB/s", (one) => one.wireBytes / one.seconds / 1e6),
    compared(
      "CPU of the agent",
      "s per GB",
      ({ cpu, wireBytes }) => ((cpu.supervisor + cpu.executor) / wireBytes) * 1e9,
    ),
    compared("CPU of the function host", "s per GB", ({ cpu, wireBytes }) => (cpu.functionHost / wireBytes) * 1e9),
  ];
}

/** Each on a stack of its own: a process that has served another result has another peak. */
const pass = (bytes: number): Promise<Pass> =>
  onSite({}, async (site) => {
    const { copies, rows } = wideSize(bytes);
    await fillWide(site.sqlServer.server, copies);
    await definePull(site, "wide", { op: "sql.query", statement: "wide" }, "arrow");
    const { usage } = await watch(site.watched, () => runWhole(site, "wide", rows));
    const wireBytes = site.relay.stats().bytesToSender;
    if (wireBytes < bytes) throw new Error(`only ${wireBytes} bytes passed the relay`);
    return { ...usage, wireBytes };
  });
