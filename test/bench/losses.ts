/**
 * `losses`: a table read in key slices while the relay resets the session of each slice once, somewhere in its rows; then
 * the parts are read, to see that every row came once.
 */

import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { fetchRun, runPull } from "../stack/pull.ts";
import { TENANT } from "../stack/start.ts";
import type { Measured } from "./results.ts";
import { fillNarrow, NARROW, numbers } from "./rows.ts";
import { definePull, onSite, type Site } from "./site.ts";
import { watch } from "./watch.ts";

/** About two hundred thousand rows of `pull`'s table pass in this time. */
const SLICE_SECONDS = 0.6;
/** Of a slice's bytes, where it is cut; a whole one has some four million. */
const CUT_BYTES = { least: 50_000, most: 1_000_000 };
const LOOK_MS = 5;
/** How often the run's state is asked for: a slice whose beginning is seen too late loses no session. */
const POLL_MS = 25;

export interface LossesOptions {
  readonly rows: number;
  readonly say: (line: string) => void;
}

export async function benchLosses({ rows, say }: LossesOptions): Promise<Measured[]> {
  // A lost session is tried again at once; by default that waits, longer each time.
  const settings = { SALLYPORT_SLICE_SECONDS: `${SLICE_SECONDS}`, SALLYPORT_BACKOFF_SECONDS: "0.1" };
  return onSite({ settings }, async (site) => {
    say(`${rows} rows are there after ${(await fillNarrow(site.sqlServer.server, rows)).toFixed(0)} s`);
    await definePull(site, "losses", { op: "sql.table", table: NARROW, columns: "*" }, "parquet");
    const losses = cutOnceInEachSlice(site);
    let told = 0;
    const onPoll = ({ rows: read, slices }: RunView): void => {
      losses.committed(slices);
      if (read < told + rows / 10) return;
      told = read;
      say(`${read} rows in ${slices} slices, ${losses.count()} sessions lost`);
    };
    const { result: ended, usage } = await watch(site.watched, () =>
      runPull(site.api, TENANT, "losses", onPoll, POLL_MS),
    );
    losses.end();
    const { run, seconds } = ended;
    if (run.state !== "published") throw new Error(`the run ended as ${run.state}: ${JSON.stringify(run.error)}`);
    const { parts } = await fetchRun(site.api, TENANT, ended, join(site.folder, "tmp", "parts"));
    const found = await count(parts);
    const one = (metric: string, unit: string, value: number, budget?: Measured["budget"]): Measured => ({
      ...{ metric, unit, ours: [value] },
      ...(budget === undefined ? {} : { budget }),
    });
    return [
      one("rows in the parts", "", found.rows, { least: rows }),
      one("rows missing", "", rows - found.keys, { most: 0 }),
      one("rows repeated", "", found.rows - found.keys, { most: 0 }),
      one("slices", "", run.slices),
      one("sessions lost", "", losses.count(), { least: run.slices - 1 }),
      one("rows a second", "/s", rows / seconds),
      one("peak RSS of an executor", "MB", usage.peak.executor / 1e6, { most: 250 }),
      one("peak RSS of the supervisor", "MB", usage.peak.supervisor / 1e6),
      one("peak RSS of the function host", "MB", usage.peak.functionHost / 1e6),
    ];
  });
}

/** Once in each slice: some way into its rows the session is reset. */
function cutOnceInEachSlice({ relay }: Site) {
  const random = numbers(7);
  let [lost, slice, cutAt] = [0, -1, 0];
  const timer = setInterval(() => {
    const { bytesToSender, sessionsOpen } = relay.stats();
    if (sessionsOpen === 0 || bytesToSender < cutAt) return;
    lost += relay.faults.resetSessions();
    cutAt = Number.POSITIVE_INFINITY;
  }, LOOK_MS);
  return {
    count: () => lost,
    /** Told of how many slices are committed; the one after them is the next to lose its session. */
    committed(slices: number) {
      if (slices === slice) return;
      slice = slices;
      cutAt = relay.stats().bytesToSender + CUT_BYTES.least + (random() % (CUT_BYTES.most - CUT_BYTES.least));
    },
    end: () => clearInterval(timer),
  };
}

async function count(parts: readonly string[]): Promise<{ readonly rows: number; readonly keys: number }> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const files = parts.map((file) => `'${file}'`).join(", ");
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::DOUBLE AS rows, count(DISTINCT Id)::DOUBLE AS keys FROM read_parquet([${files}])`,
    );
    return reader.getRowObjects()[0] as { rows: number; keys: number };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
