/** The main job: a pull of the sample through everything, then a change, and a second run that picks up just that. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { readJournal } from "./agent.ts";
import type { Cleanup } from "./cleanup.ts";
import { type DirectoryResult, pullDirectory } from "./demo-directory.ts";
import { type FetchedRun, fetchRun, runPull } from "./pull.ts";
import { fillSample, type Sample } from "./sample.ts";
import { bar, count, type Screen, seconds, size } from "./screen.ts";
import { CONNECTION, type StackOn, TENANT } from "./start.ts";

export const FLIGHTS = 300_000;
export const CHANGED = 1_000;

export interface DemoResult {
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly run: string;
  readonly manifest: string;
  readonly parts: readonly string[];
  /** The agent's journal on this machine. */
  readonly journal: string;
  readonly runs: readonly {
    run: string;
    rows: number;
    bytes: number;
    seconds: number;
    manifest: string | null;
    parts: readonly string[];
  }[];
  /** What the second pull found, where there is a directory. */
  readonly directory?: DirectoryResult;
}

/** @param flights rows of the sample, at least `CHANGED` */
export async function runDemo(stack: StackOn, screen: Screen, cleanup: Cleanup, flights: number): Promise<DemoResult> {
  const sample = await fill(stack, screen, cleanup, flights);
  await stack.api.post(`/tenants/${TENANT}/pulls`, {
    id: "flights",
    definition: {
      connection: CONNECTION,
      operation: { op: "sql.table", table: `${stack.source.schema}.Flights`, columns: "*" },
      watermark: "rowversion",
    },
  });
  screen.say("\nPull `flights`, first run: everything");
  const first = await pullOnce(stack, screen, flights);
  await showRows(first, screen);
  await sample.change(CHANGED);
  screen.say(`\n${count(CHANGED)} flights change in SQL Server. Second run: what is new`);
  const second = await pullOnce(stack, screen, CHANGED);
  await showRows(second, screen);
  const { directory } = stack;
  const people = directory === undefined ? undefined : await pullDirectory(stack, directory, screen);
  const journal = join(stack.agent.stateDir, "journal", "journal.jsonl");
  showJournal(stack, screen, journal);
  const runs = [first, second].map(({ run, bytes, seconds: took, manifest, parts }) => ({
    run: run.id,
    rows: run.rows,
    bytes,
    seconds: round(took),
    manifest,
    parts,
  }));
  if (first.manifest === null) throw new Error("the first run made no manifest");
  return {
    rows: first.run.rows,
    bytes: first.bytes,
    seconds: round(first.seconds),
    run: first.run.id,
    manifest: first.manifest,
    parts: first.parts,
    journal,
    runs,
    ...(people === undefined ? {} : { directory: people }),
  };
}

const round = (value: number) => Math.round(value * 1000) / 1000;

async function fill({ source }: StackOn, screen: Screen, cleanup: Cleanup, flights: number): Promise<Sample> {
  const startedMs = performance.now();
  const { server, schema } = source;
  const show = (rows: number) => screen.progress(bar(rows, flights, `rows into ${schema}.Flights`));
  const sample = await cleanup.starting(fillSample(server, flights, show, schema, cleanup.signal), (it) => it.close());
  screen.say(
    `  sample         ${schema}.Flights with ${count(flights)} rows, ${schema}.Exact   ${seconds((performance.now() - startedMs) / 1000)}`,
  );
  return sample;
}

async function pullOnce(stack: StackOn, screen: Screen, expected: number): Promise<FetchedRun> {
  const before = stack.relay.stats().bytesToSender;
  const ended = await runPull(stack.api, TENANT, "flights", (run) => {
    const through = stack.relay.stats().bytesToSender - before;
    screen.progress(`${bar(run.rows, expected, "rows committed")}, ${size(through)} through the relay, ${run.state}`);
  });
  const { run } = ended;
  if (run.state !== "published") {
    throw new Error(
      `run ${run.id} is ${run.state}: ${run.error?.code ?? ""} ${run.error?.message ?? ""} ${run.error?.advice ?? ""}`,
    );
  }
  const fetched = await fetchRun(stack.api, TENANT, ended, join(stack.folder, "out"));
  const relayed = stack.relay.stats().bytesToSender - before;
  screen.say(
    `  ${count(run.rows)} rows in ${seconds(ended.seconds)}, ${size(relayed)} sealed through the relay, ${size(fetched.bytes)} of Parquet`,
  );
  if (fetched.manifest !== null) screen.say(`  ${fetched.manifest}`);
  return fetched;
}

async function showRows({ parts }: FetchedRun, screen: Screen): Promise<void> {
  if (parts.length === 0) return;
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const files = parts.map((part) => `'${part.replaceAll("'", "''")}'`).join(", ");
  const reader = await connection.runAndReadAll(`SELECT * FROM read_parquet([${files}]) ORDER BY 1 LIMIT 3`);
  const rows = [reader.columnNames(), ...reader.getRows().map((row) => row.map(String))];
  const widths = reader.columnNames().map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) screen.say(`    ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`);
  connection.closeSync();
}

function showJournal(stack: StackOn, screen: Screen, journal: string): void {
  screen.say("\nWhat the agent's journal recorded, on the customer's machine");
  for (const line of readJournal(stack.agent.stateDir)) {
    if (line.event !== "request" && line.event !== "end") continue;
    // Of pulls only: a canary may have come between.
    if (line.pull === undefined) continue;
    const { seq, event, op, object, rule, decision, code, rowsOut, durationMs } = line;
    const facts =
      event === "request"
        ? [op, object, `rule ${rule}`, decision]
        : [code ?? "ok", `${count(Number(rowsOut ?? 0))} rows`, `${durationMs} ms`];
    screen.say(`    ${String(seq).padStart(3)}  ${String(event).padEnd(8)} ${facts.join("  ")}`);
  }
  screen.say(`  ${journal}`);
}
