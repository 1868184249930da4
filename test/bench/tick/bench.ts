/** `tick`: what the scheduler costs with 100 pulls due of a thousand, ten thousand and a hundred thousand. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { startAzurite } from "../../emulators/azurite/start.ts";
import { freshFolder } from "../../stack/folders.ts";
import type { Measured } from "../results.ts";
import { ROOT } from "../site.ts";
import { openFleet } from "./fleet.ts";
import { type Operations, total } from "./operations.ts";

const SIZES = [1_000, 10_000, 100_000] as const;
const DUE = 100;
/** Idle pulls are added in pieces, to say how it goes. */
const PIECE = 10_000;

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
  const azurite = await startAzurite({ folder: join(folder, "storage"), inMemory: true });
  try {
    const fleet = await openFleet(azurite.connectionString);
    const measurements: Measurement[] = [];
    let idle = 0;
    for (const size of SIZES.filter((each) => each <= pulls)) {
      while (idle < size - DUE) {
        const piece = Math.min(PIECE, size - DUE - idle);
        await fleet.addIdle(piece);
        idle += piece;
        say(`${idle} pulls that are not due`);
      }
      const measurement: Measurement = { size, operations: [], cpuMs: [] };
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
      measurements.push(measurement);
    }
    return measurements.flatMap((each) => told(each, measurements[0]!));
  } finally {
    await azurite.close();
    rmSync(folder, { recursive: true, force: true });
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
