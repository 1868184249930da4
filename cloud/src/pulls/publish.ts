/**
 * Publishing a decided run: anyone may do it, any number of times, with the same bytes (docs/runs.md step 10). The manifest is
 * a pure function of the run and exactly its slices; a part that no slice of a decided run names is never visible.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Manifest, manifest } from "@sallyport/shared/schema/pull.ts";
import { z } from "zod";
import { putOnce, readWhole } from "../sinks/blob.ts";
import { padded, publicRunId, pullPartition } from "../store/ids.ts";
import type { Stored } from "../store/record.ts";
import type { Out, PullKey, Run, Slice } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import type { PullDeps } from "./deps.ts";
import { measureEnd } from "./measure.ts";
import { listHash } from "./run.ts";
import { eventOf, toldStep } from "./tell.ts";
import { lookAgain } from "./tries.ts";

const sliceList = z.strictObject({
  v: z.literal(1),
  parts: z.array(z.strictObject({ path: z.string(), sha256: z.string(), rows: z.int().min(0), bytes: z.int().min(0) })),
});
export type SliceList = z.infer<typeof sliceList>;

export const manifestPath = ({ tenant, pull }: PullKey, seq: number): string =>
  `${tenant}/${pull}/manifests/${padded(seq)}.json`;

/** No clock and no random: the same run gives the same bytes, whoever publishes it. */
function manifestOf(key: PullKey, id: string, run: Run, lists: readonly SliceList[]): Manifest {
  if (run.seq === null) throw new RangeError("only a decided run has a manifest");
  return manifest.parse({
    v: 1,
    ...key,
    seq: run.seq,
    run: publicRunId(key.pull, id),
    kind: run.kind,
    replaces: run.replaces,
    from: run.from,
    to: run.to,
    consistency: run.plan?.consistency ?? "statement",
    key: run.plan?.key ?? [],
    schema: run.schema ?? "",
    rows: run.rows,
    bytes: run.bytes,
    parts: lists.flatMap((list) => list.parts),
  } satisfies Manifest);
}

/** Publishes and tells all that is decided and not told yet, in order. False when something is left for later. */
export async function publishAll(deps: PullDeps, key: PullKey): Promise<boolean> {
  for (;;) {
    const [next] = await deps.store.runs.outs(key, 1);
    if (!next) return true;
    if (!(await publishOne(deps, key, next.row.row))) return false;
  }
}

async function publishOne(deps: PullDeps, key: PullKey, row: string): Promise<boolean> {
  const { runs } = deps.store;
  // Read again directly before: whoever was slow since the list was read must not repeat what retention took back.
  const out = await runs.out(key, row);
  if (!out) return true;
  const run = await runs.run(key, out.value.run);
  if (!run) throw new SallyportError("storage.failed", "An event names a run that is not there.", { row });
  const facts = { "sallyport.rows": run.value.rows, "sallyport.bytes": run.value.bytes };
  return deps.telemetry.ofRun({ ...key, run: out.value.run }, "publish", facts, async (span) => {
    const told = await publishRun(deps, key, out, run.value);
    span.add({ "sallyport.state": out.value.state });
    return told;
  });
}

async function publishRun(deps: PullDeps, key: PullKey, out: Stored<Out>, run: Run): Promise<boolean> {
  const path = run.seq === null ? null : manifestPath(key, run.seq);
  if (path !== null) await writeManifest(deps, key, out.value.run, run, path);
  try {
    await deps.tell(eventOf(key, out.value, run, path));
  } catch (thrown) {
    deps.log("event not delivered", { ...key, run: out.value.run, error: String(thrown) });
    return false;
  }
  const isAway = await takeAway(deps, key, out);
  if (isAway) measureEnd(deps, out.value.state, run);
  return isAway;
}

async function writeManifest(deps: PullDeps, key: PullKey, id: string, run: Run, path: string): Promise<void> {
  const slices = await deps.store.runs.slices(key, id);
  const exact = slices.map((slice) => slice.value);
  if (slices.length !== run.slices || listHash(exact) !== run.listHash) {
    throw new SallyportError("storage.conflict", "The slices of a run are not those that were decided.", { run: id });
  }
  const lists: SliceList[] = [];
  for (const slice of exact) lists.push(await readSliceList(deps, slice));
  const content = Buffer.from(JSON.stringify(manifestOf(key, id, run, lists)));
  await putOnce(deps.blobs, path, content, "application/json");
}

async function readSliceList(deps: PullDeps, slice: Slice): Promise<SliceList> {
  const content = await readWhole(deps.blobs, slice.list, slice.sha256);
  return sliceList.parse(JSON.parse(content.toString("utf8")));
}

/** { delete out; run published; cursor published := seq }. When the out entity is gone, another one did it. */
async function takeAway(deps: PullDeps, key: PullKey, out: Stored<Out>): Promise<boolean> {
  const { runs } = deps.store;
  const opId = deps.random(12).toString("hex");
  const gone = await lookAgain(async () => {
    const [run, cursor] = await Promise.all([runs.run(key, out.value.run), runs.cursor(key)]);
    if (!run || !cursor || !(await runs.out(key, out.row.row))) return true;
    const { changes } = toldStep(out, run, cursor, opId);
    const done = await commit(runs.table, pullPartition(key.tenant, key.pull), changes);
    return done.ok || done.refused === 404 ? true : undefined;
  });
  return gone ?? false;
}
