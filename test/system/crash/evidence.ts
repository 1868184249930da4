/** What a pull has left behind, read as a stranger would: manifests and parts from the storage account, rows by DuckDB. */
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import { DuckDBInstance } from "@duckdb/node-api";
import { hasEnded } from "@sallyport/cloud/src/pulls/run.ts";
import type { Store } from "@sallyport/cloud/src/store/open.ts";
import type { PullKey, Run } from "@sallyport/cloud/src/store/runs.ts";
import { type Manifest, manifest } from "@sallyport/shared/schema/pull.ts";
import { type Delivered, type Ended, missingNumbers } from "./count.ts";

export interface Evidence {
  readonly manifests: readonly Manifest[];
  readonly delivered: readonly Delivered[];
  /** Runs that were published, in the order of their ends. */
  readonly ended: readonly Ended[];
  /** How many runs came to which end. */
  readonly states: Readonly<Record<string, number>>;
  /** What must not be: a run that is not at its end, a number without a manifest, a part that is missing or another. */
  readonly faults: readonly string[];
}

export interface Where {
  readonly storage: string;
  readonly store: Store;
  readonly key: PullKey;
  /** For files that are removed again. */
  readonly folder: string;
}

const MOST_RUNS = 10_000;

export async function gather({ storage, store, key, folder }: Where): Promise<Evidence> {
  const container = BlobServiceClient.fromConnectionString(storage).getContainerClient("sallyport");
  const read = (name: string) => container.getBlobClient(name).downloadToBuffer();
  const runs = await store.runs.runs(key, MOST_RUNS);
  const faults: string[] = [];
  const manifests: Manifest[] = [];
  for await (const { name } of container.listBlobsFlat({ prefix: `${key.tenant}/${key.pull}/manifests/` })) {
    manifests.push(manifest.parse(JSON.parse((await read(name)).toString("utf8"))));
  }
  manifests.sort((a, b) => a.seq - b.seq);
  faults.push(...(await openEnds(store, key, runs, manifests)));

  const files = join(folder, `${key.pull}-parts`);
  mkdirSync(files, { recursive: true });
  const parts: { file: string; run: string }[] = [];
  for (const { run, parts: named, seq } of manifests) {
    for (const [index, part] of named.entries()) {
      const bytes = await read(part.path).catch(() => undefined);
      const hash = bytes && createHash("sha256").update(bytes).digest("base64url");
      if (hash !== part.sha256) faults.push(`manifest ${seq}: ${part.path} is ${bytes ? "another" : "missing"}`);
      if (!bytes) continue;
      const file = join(files, `${seq}-${index}.parquet`);
      writeFileSync(file, bytes);
      parts.push({ file, run });
    }
  }
  const delivered = await rowsIn(parts);
  rmSync(files, { recursive: true });
  faults.push(...wrongCounts(manifests, delivered));
  const states: Record<string, number> = {};
  for (const { run } of runs) states[run.value.state] = (states[run.value.state] ?? 0) + 1;
  return { manifests, delivered, ended: endedOf(key, runs), states, faults };
}

type Runs = readonly { readonly id: string; readonly run: { readonly value: Run } }[];

async function openEnds(store: Store, key: PullKey, runs: Runs, manifests: readonly Manifest[]): Promise<string[]> {
  const cursor = (await store.runs.cursor(key))?.value;
  const outs = await store.runs.outs(key, 1);
  const stuck = runs.filter(({ run }) => !hasEnded(run.value) || run.value.state === "decided");
  const missing = missingNumbers(
    manifests.map(({ seq }) => seq),
    cursor?.seq ?? 0,
  );
  return [
    ...stuck.map(({ id, run }) => `run ${id} is ${run.value.state}`),
    ...missing.map((seq) => `there is no manifest ${seq}`),
    ...(manifests.length === cursor?.seq ? [] : [`${manifests.length} manifests, and the cursor says ${cursor?.seq}`]),
    ...(cursor?.published === cursor?.seq ? [] : [`told up to ${cursor?.published} of ${cursor?.seq}`]),
    ...(cursor?.activeRun ? [`run ${cursor.activeRun} still has the turn`] : []),
    ...(outs.length > 0 ? ["an event was not told"] : []),
  ];
}

function endedOf({ pull }: PullKey, runs: Runs): Ended[] {
  return runs
    .flatMap(({ id, run: { value } }) =>
      value.state === "published" && value.to !== null && value.endedAt !== null
        ? [{ run: `${pull}.${id}`, from: value.from, to: value.to, endedAtMs: Date.parse(value.endedAt) }]
        : [],
    )
    .sort((a, b) => a.endedAtMs - b.endedAtMs);
}

function wrongCounts(manifests: readonly Manifest[], delivered: readonly Delivered[]): string[] {
  const found = Map.groupBy(delivered, ({ run }) => run);
  return manifests.flatMap(({ seq, run, rows }) => {
    const there = found.get(run)?.length ?? 0;
    return there === rows ? [] : [`manifest ${seq} says ${rows} rows, its parts hold ${there}`];
  });
}

/** Parquet is read by DuckDB, which is no part of the product. */
async function rowsIn(parts: readonly { readonly file: string; readonly run: string }[]): Promise<Delivered[]> {
  if (parts.length === 0) return [];
  const runs = new Map(parts.map(({ file, run }) => [file, run]));
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const list = parts.map(({ file }) => `'${file.replaceAll("'", "''")}'`).join(", ");
    const query = `SELECT "Id", lower(hex("Version")), filename FROM read_parquet([${list}], filename = true)`;
    const rows = (await connection.runAndReadAll(query)).getRows();
    return rows.map(([key, version, file]) => ({
      key: Number(key),
      version: String(version),
      run: runs.get(String(file))!,
    }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
