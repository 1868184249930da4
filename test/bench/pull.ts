/** `pull`: rows a second through the whole system, against `mssql` writing NDJSON on the spot. */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { SOURCES } from "../stack/program.ts";
import { profileFlags, startProfiledAgent } from "./profile/agent.ts";
import { summaryOf } from "./profile/summary.ts";
import type { Measured } from "./results.ts";
import { fillNarrow, NARROW, NARROW_COLUMNS } from "./rows.ts";
import { definePull, onSite, runWhole, type Site } from "./site.ts";
import { type Usage, watch } from "./watch.ts";

const PEER = fileURLToPath(new URL("./peer.ts", import.meta.url));
const PEER_NAME = "mssql to NDJSON";
const FORMATS = ["arrow", "parquet"] as const;
type Format = (typeof FORMATS)[number];

const outcome = z.strictObject({
  rows: z.int(),
  seconds: z.number(),
  cpu: z.number(),
  peak: z.number(),
  bytes: z.number(),
});
type PeerRun = z.infer<typeof outcome>;

interface OurRun extends Usage {
  /** Bytes of messages from the agent through the relay. */
  readonly wireBytes: number;
}

export interface PullOptions {
  readonly rows: number;
  readonly runs: number;
  readonly say: (line: string) => void;
}

export function benchPull(options: PullOptions): Promise<Measured[]> {
  const { rows, runs, say } = options;
  return onSite({}, async (site) => {
    say(`filled ${NARROW} with ${rows} rows in ${(await fillNarrow(site.sqlServer.server, rows)).toFixed(1)} s`);
    for (const format of FORMATS) {
      await definePull(site, format, { op: "sql.table", table: NARROW, columns: "*" }, format);
    }
    const ours: Record<Format, OurRun[]> = { arrow: [], parquet: [] };
    const peers: PeerRun[] = [];
    // One after the other in every round, so that whatever else the machine does meets all of them; the first is to warm up.
    for (let round = 0; round <= runs; round++) {
      const peer = await runPeer(site, rows, []);
      if (round > 0) peers.push(peer);
      const shown = [`peer ${peer.seconds.toFixed(2)} s`];
      for (const format of FORMATS) {
        const run = await runOurs(site, format, rows);
        if (round > 0) ours[format].push(run);
        shown.push(`${format} ${run.seconds.toFixed(2)} s`);
      }
      say(`${round === 0 ? "warm-up" : `run ${round}`}: ${shown.join(", ")}`);
    }
    return [...FORMATS.flatMap((format) => measured(format, rows, ours[format], peers)), ...sourceOf(rows, ours.arrow)];
  });
}

async function runOurs(site: Site, format: Format, rows: number): Promise<OurRun> {
  const before = site.relay.stats().bytesToSender;
  const { usage } = await watch(site.watched, () => runWhole(site, format, rows));
  return { ...usage, wireBytes: site.relay.stats().bytesToSender - before };
}

async function runPeer(site: Site, rows: number, flags: readonly string[]): Promise<PeerRun> {
  const file = join(site.folder, "tmp", "peer.ndjson");
  const names = NARROW_COLUMNS.map((name) => `[${name}]`).join(", ");
  const order = { ...site.sqlServer.server, sql: `SELECT ${names} FROM ${NARROW} ORDER BY [Id]`, file };
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...flags, PEER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  site.cleanup.add(child, () => child.kill("SIGKILL"));
  child.stdin.end(JSON.stringify(order));
  const run = outcome.parse(JSON.parse(await text(child.stdout)));
  if (run.rows !== rows) throw new Error(`the peer read ${run.rows} rows instead of ${rows}`);
  rmSync(file);
  return run;
}

const MEGABYTE = 1e6;

/** One run of the Arrow sink and one of the peer with CPU profiles of every process; answers what these say. */
export async function profilePull(rows: number, folder: string): Promise<string> {
  const settings = { NODE_OPTIONS: profileFlags(folder, "function-host").join(" ") };
  await onSite({ settings, program: SOURCES }, async (plain) => {
    await fillNarrow(plain.sqlServer.server, rows);
    const site = await startProfiledAgent(plain, folder);
    await definePull(site, "arrow", { op: "sql.table", table: NARROW, columns: "*" }, "arrow");
    await runOurs(site, "arrow", rows);
    await runPeer(site, rows, profileFlags(folder, "peer"));
  });
  return ["executor", "supervisor", "function-host", "peer"]
    .map((name) => `${name}: ${summaryOf(join(folder, name))}`)
    .join("\n\n");
}

function measured(format: Format, rows: number, ours: readonly OurRun[], peers: readonly PeerRun[]): Measured[] {
  const against = (of: (peer: PeerRun) => number) => ({ name: PEER_NAME, values: peers.map(of) });
  const perMillion = (seconds: number) => (seconds / rows) * 1e6;
  const cpu = (metric: string, of: (cpu: Usage["cpu"]) => number): Measured => ({
    metric: `${format}: CPU of ${metric}`,
    unit: "s per million rows",
    ours: ours.map((run) => perMillion(of(run.cpu))),
    peer: against((peer) => perMillion(peer.cpu)),
  });
  const peak = (metric: string, of: keyof Usage["peak"]): Measured => ({
    metric: `${format}: peak RSS of ${metric}`,
    unit: "MB",
    ours: ours.map((run) => run.peak[of] / MEGABYTE),
    peer: against((run) => run.peak / MEGABYTE),
  });
  return [
    {
      metric: `${format}: rows a second`,
      unit: "rows/s",
      ours: ours.map(({ seconds }) => rows / seconds),
      peer: against(({ seconds }) => rows / seconds),
    },
    {
      metric: `${format}: wall time`,
      unit: "s",
      ours: ours.map(({ seconds }) => seconds),
      peer: against((run) => run.seconds),
    },
    cpu("the agent", ({ supervisor, executor }) => supervisor + executor),
    cpu("the agent's executor, its start included", ({ executor }) => executor),
    cpu("the function host", ({ functionHost }) => functionHost),
    peak("the supervisor", "supervisor"),
    peak("the executor", "executor"),
    peak("the function host", "functionHost"),
    {
      metric: `${format}: bytes on the wire`,
      unit: "bytes/row",
      ours: ours.map((run) => run.wireBytes / rows),
      // It has no wire but the server's: what it writes is the nearest.
      peer: { name: `${PEER_NAME}, its file`, values: peers.map((run) => run.bytes / rows) },
    },
  ];
}

/** What the emulated SQL Server takes of the same processors, in ours; the peer pays it too. */
const sourceOf = (rows: number, ours: readonly OurRun[]): Measured[] => [
  {
    metric: "arrow: CPU of the emulated SQL Server",
    unit: "s per million rows",
    ours: ours.map(({ cpu }) => (cpu.source / rows) * 1e6),
  },
];
