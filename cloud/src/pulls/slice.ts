/**
 * A session's rows on their way into slices: the plan first, then parts, and a commit at a checkpoint when enough time
 * or bytes have passed (docs/runs.md steps 4, 6 and 7). Committed rows are not read again; others are dropped with their part.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { PullDefinition } from "@sallyport/shared/schema/pull.ts";
import type { Consumer } from "../sessions/session.ts";
import { putOnce } from "../sinks/blob.ts";
import type { Part } from "../sinks/sink.ts";
import type { PullKey, Slice } from "../store/runs.ts";
import type { PullDeps } from "./deps.ts";
import type { Hold, Written } from "./hold.ts";
import type { SliceList } from "./publish.ts";
import { commitSlice, completeRun, digestOf, fixPlan, isVoid, keepsPlan } from "./run.ts";

export interface Staging {
  readonly deps: PullDeps;
  readonly key: PullKey;
  readonly id: string;
  readonly held: Hold;
  readonly definition: PullDefinition;
  readonly connectionAt: string | null | undefined;
  /** Counted from 1 in each claim, so that no two sessions ever write one name. */
  readonly session: number;
  /** Whether the claim is to be handed over at the next checkpoint. */
  readonly mustFinish: () => boolean;
}

export interface Stager {
  readonly consumer: Consumer;
  /** Rows that this session has given so far. */
  readonly rows: number;
  readonly hasSchema: boolean;
  /** Commits what is staged as a slice. Throws when the claim is over, was cancelled, the agent revoked, or the sink fails. */
  commit(position: string | null, complete: boolean, warnings?: readonly Warning[]): Promise<void>;
  /** Drops what is staged. Never throws. */
  abandon(): Promise<void>;
}

/** What a pull asks of its source: a change of it is a change of the plan. */
export const askedOf = ({ connection, operation, watermark, watermarkColumn, sink }: PullDefinition): string =>
  digestOf({ connection, operation, watermark, watermarkColumn, sink });

export function stage({ deps, key, id, held, definition, connectionAt, session, mustFinish }: Staging): Stager {
  const { clock, settings } = deps;
  const sink = deps.sinks[definition.sink.format];
  let schema: { readonly bytes: Uint8Array; readonly columns: readonly Column[] } | undefined;
  let part: Part | undefined;
  let rows = 0;
  let sliceBytes = 0;
  let committedAt = clock.monotonic();

  const folder = () => {
    const { slices, fence } = held.run;
    const name = `${String(slices + 1).padStart(6, "0")}-f${fence}-s${session}`;
    return `${key.tenant}/${key.pull}/data/${id}/${name}`;
  };

  async function openPart(): Promise<Part> {
    if (!schema) throw new SallyportError("protocol.order", "Rows came before their schema.");
    const opened = await sink.open(`${folder()}/part-00001.${sink.extension}`);
    part = opened;
    await opened.schema(schema);
    return opened;
  }

  async function commitPart(
    open: Part,
    position: string | null,
    complete: boolean,
    warnings: readonly Warning[],
  ): Promise<void> {
    const facts = { "sallyport.slice": held.run.slices + 1, "sallyport.complete": complete };
    await deps.telemetry.span("commit", facts, async (span) => {
      const file = await commitFile(open, position, complete, warnings);
      span.add({ "sallyport.rows": file.rows, "sallyport.bytes": file.bytes });
    });
  }

  async function commitFile(
    open: Part,
    position: string | null,
    complete: boolean,
    warnings: readonly Warning[],
  ): Promise<SliceList["parts"][number]> {
    const { run } = held;
    const list = `${folder()}/slice.json`;
    const file = await open.commit();
    part = undefined;
    const content: SliceList = { v: 1, parts: [file] };
    const sha256 = await putOnce(deps.blobs, list, Buffer.from(JSON.stringify(content)), "application/json");
    const fixed = { fence: run.fence, schema: run.schema ?? "", policy: run.policy ?? "" };
    const counts = { rows: file.rows, bytes: file.bytes, from: run.position, to: position };
    const slice: Slice = { list, sha256, ...fixed, ...counts };
    demand(await held.write({ on: "run", step: (now) => commitSlice(now, id, slice, complete, warnings) }));
    return file;
  }

  async function commit(position: string | null, complete: boolean, warnings: readonly Warning[] = []): Promise<void> {
    if (await held.mustStop()) throw over();
    if (part) await commitPart(part, position, complete, warnings);
    else if (complete) demand(await held.write({ on: "run", step: (now) => completeRun(now, position, warnings) }));
    sliceBytes = 0;
    committedAt = clock.monotonic();
  }

  const consumer: Consumer = {
    servedBy: held.servedBy,
    async schema({ bytes, columns, plan, policy, maskKey }) {
      const hashedWith = isHashed(columns) ? maskKey : null;
      const source = { connection: definition.connection, connectionAt: connectionAt ?? null };
      const fixed = {
        plan,
        policy,
        maskKey: hashedWith,
        schema: digestOf(columns),
        asked: askedOf(definition),
        source,
      };
      if (held.run.kind === "backfill" && plan.to !== held.run.to) {
        throw new SallyportError("protocol.order", "The agent reads up to another bound than the backfill's.");
      }
      if (held.run.plan === null || isVoid(held.run))
        demand(await held.write({ on: "run", step: (run) => fixPlan(run, fixed) }));
      else if (!keepsPlan(held.run, fixed)) {
        const what = "The source's columns, its plan or the owner's policy are not those of the run's first session.";
        throw new SallyportError("request.plan_changed", what);
      }
      schema = { bytes, columns };
    },
    async batch(batch) {
      if (held.signal.aborted) throw over();
      await (part ?? (await openPart())).batch(batch);
      rows += batch.rows;
      sliceBytes += batch.bytes.length;
    },
    async checkpoint({ position }) {
      if (held.signal.aborted) throw over();
      await part?.checkpoint();
      const due = clock.monotonic() - committedAt >= settings.sliceSeconds * 1000 || sliceBytes >= settings.sliceBytes;
      if (due && part) await commit(position, false);
      return mustFinish() ? "finish" : "continue";
    },
  };

  return {
    consumer,
    get rows() {
      return rows;
    },
    get hasSchema() {
      return schema !== undefined;
    },
    commit,
    async abandon() {
      await part?.abort();
      part = undefined;
    },
  };
}

/** Whether a column holds what the agent's mask key made of it (docs/masks.md). */
const isHashed = (columns: readonly Column[]): boolean => columns.some(({ metadata }) => metadata?.masked === "hash");

/** Ends the session; what follows depends on why the claim is over, not on this error. */
const over = () => new SallyportError("request.cancelled", "The claim on the run is over.");

function demand(written: Written): void {
  if (!written.ok) throw over();
}
