/** `tick`: what the scheduler costs with 100 pulls due of a thousand, ten thousand and a hundred thousand. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freshFolder } from "../../stack/folders.ts";
import type { Measured } from "../results.ts";
import { ROOT } from "../site.ts";
import { startFleet } from "./fleet.ts";
import { type Operations, total } from "./operations.ts";

const SIZES = [1_000, 10_000, 100_000] as const;
const DUE = 100;

export interface TickOptions {
  readonly runs: number;
  /** The largest fleet that is measured. */
  readonly pulls: number;
  readonly say: (line: string) => void;
}

interface Measurement {
  readonly size: number;
  readonly operations: Operations[];
  readonly cpuMs: number[];
}

export async function benchTick({ runs, pulls, say }: TickOptions): Promise<Measured[]> {
  const folder = freshFolder(ROOT, new Date(), process.pid);
  try {
    const measurements: Measurement[] = [];
    for (const size of SIZES.filter((each) => each <= pulls)) {
      measurements.push(await measure(join(folder, `storage-${size}`), size, runs, say));
    }
    return measurements.flatMap((each) => told(each, measurements[0]!));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, size: number, runs: number, say: TickOptions["say"]): Promise<Measurement> {
  const fleet = await startFleet(folder, size - DUE);
  const measurement: Measurement = { size, operations: [], cpuMs: [] };
  try {
    // The first is to warm up.
    for (let run = 0; run <= runs; run++) {
      await fleet.addDue(DUE);
      const { operations, cpuMs, report } = await fleet.tick();
      if (report.pulls !== DUE || report.failed > 0) throw new Error(`a tick looked at ${report.pulls} pulls`);
      if (run === 0) continue;
      measurement.operations.push(operations);
      measurement.cpuMs.push(cpuMs);
      say(`${size} pulls, run ${run}: ${total(operations)} operations, ${cpuMs.toFixed(0)} ms of CPU`);
    }
    return measurement;
  } finally {
    await fleet.close();
  }
}

function told({ size, operations, cpuMs }: Measurement, first: Measurement): Measured[] {
  const against = (values: readonly number[]) =>
    size === first.size ? {} : { peer: { name: `${first.size} pulls`, values } };
  const kinds = ["query", "read", "transaction", "delete", "blob"] as const;
  const counted = (metric: string, of: (one: Operations) => number): Measured => ({
    metric: `${size} pulls, ${DUE} due: ${metric}`,
    unit: "operations",
    ours: operations.map(of),
    ...against(first.operations.map(of)),
  });
  return [
    counted("all operations", total),
    ...kinds.map((kind) => counted(kind, (one) => one[kind])),
    { metric: `${size} pulls, ${DUE} due: CPU of the tick`, unit: "ms", ours: cpuMs, ...against(first.cpuMs) },
  ];
}
