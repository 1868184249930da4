/** Lets a pull run to its end and looks at everything that can be seen of it from outside. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { BlobServiceClient } from "@azure/storage-blob";
import { DuckDBInstance } from "@duckdb/node-api";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { readJournal } from "../../stack/agent.ts";
import { fetchRun } from "../../stack/pull.ts";
import { TENANT } from "../../stack/start.ts";
import { hasEnded, until } from "../processes.ts";
import type { JournalLine, Outcome } from "./outcome.ts";
import type { Rig } from "./rig.ts";

/** Room for retries and for the relay's own waiting times, on a machine that is busy. */
const RUN_WITHIN_MS = 90_000;
/** Each look is a call of the function app, which has other things to do. */
const LOOK_EVERY_MS = 60;
const ENDED: ReadonlySet<string> = new Set(["published", "failed", "cancelled", "superseded", "expired"]);

/** What the run is now. While the storage fails it may not be asked. */
export const viewOf = (rig: Rig, run: string): Promise<RunView | undefined> =>
  rig.stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run}`).catch(() => undefined);

/** Starts a run, lets `meanwhile` act on it, and looks once it has ended. */
export async function observe(rig: Rig, pull: string, meanwhile?: (run: string) => Promise<void>): Promise<Outcome> {
  const { id } = await rig.start(pull);
  const said: string[] = [];
  const acting = meanwhile?.(id);
  acting?.catch(() => undefined); // awaited below, after the run
  const ends = until(`run ${id} ends`, () => ended(rig, id, said), RUN_WITHIN_MS);
  const run = await ends.catch((thrown) => {
    throw new Error(`the run did not end; it said ${said.join(", ") || "nothing"}`, { cause: thrown });
  });
  await acting;
  return lookAt(rig, run, said);
}

async function ended(rig: Rig, id: string, said: string[]): Promise<RunView | false> {
  await pause(LOOK_EVERY_MS);
  const run = await viewOf(rig, id);
  if (run?.error && said.at(-1) !== run.error.code) said.push(run.error.code);
  return run !== undefined && ENDED.has(run.state) && run;
}

export async function lookAt(rig: Rig, run: RunView, said: readonly string[]): Promise<Outcome> {
  const { stack, folder } = rig;
  const agent = stack.agent.process.pid!;
  const journal = await until("each session has its end", () => linesOf(rig, run.id));
  const fetched = await fetchRun(stack.api, TENANT, { run, seconds: 0 }, join(folder, "out"));
  return {
    run,
    said,
    parts: fetched.parts.length,
    hasManifest: fetched.manifest !== null,
    manifests: await manifestsOf(rig, run.pull),
    ids: await idsIn(fetched.parts),
    journal,
    journalText: readFileSync(join(stack.agent.stateDir, "journal", "journal.jsonl"), "utf8"),
    agent: hasEnded(agent) ? "ended" : "alive",
  };
}

/** A session's end is written when its executor has gone. */
function linesOf({ stack }: Rig, run: string): JournalLine[] | false {
  const lines = readJournal(stack.agent.stateDir).filter((line) => line.run === run);
  const open = new Set(lines.filter(({ event }) => event === "request").map(({ request }) => request));
  for (const { event, request } of lines) if (event === "end") open.delete(request);
  return open.size === 0 && lines;
}

/** Of one pull, whether a run names them or not. */
async function manifestsOf({ storage }: Rig, pull: string): Promise<number> {
  const container = BlobServiceClient.fromConnectionString(storage.connectionString).getContainerClient("sallyport");
  let found = 0;
  for await (const _ of container.listBlobsFlat({ prefix: `${TENANT}/${pull}/manifests/` })) found++;
  return found;
}

/** Read by DuckDB, which knows nothing of us. */
export async function idsIn(parts: readonly string[]): Promise<number[]> {
  if (parts.length === 0) return [];
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const files = parts.map((part) => `'${part}'`).join(", ");
    const reader = await connection.runAndReadAll(`SELECT "Id" FROM read_parquet([${files}])`);
    return reader.getRows().map(([id]) => Number(id));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
