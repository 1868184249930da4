/**
 * A claim being held: all writes of the holder go through one queue with one ETag chain, the lease is renewed, and the
 * holder stops itself when it cannot be sure to hold it any more (docs/runs.md step 5).
 */
import { z } from "zod";
import { pullPartition } from "../store/ids.ts";
import { RecordError, type Stored } from "../store/record.ts";
import { type PullKey, type Run, replaceRun } from "../store/runs.ts";
import { type Commit, commit } from "../store/tables.ts";
import { whatBecame } from "./became.ts";
import { type PullDeps, pause } from "./deps.ts";
import type { Records, Step } from "./run.ts";
import { TRIES } from "./tries.ts";
import type { Wake } from "./wake.ts";

/** What a claim has won. */
export interface Claimed {
  readonly key: PullKey;
  readonly id: string;
  readonly run: Run;
  readonly etag: string;
  /** `deps.clock.monotonic()` when the claim was sent. */
  readonly sentAt: number;
}

/** A write of the holder. It may run several times, and must give the same each time it is given the same run. */
export type Operation =
  | { readonly on: "run"; step(run: Run): Run | Step }
  /** Reads the cursor too; undefined when it says that this run may not do so any more. */
  | { readonly on: "run and cursor"; step(records: Records, opId: string): Step | undefined };

/** `lost`: another one holds the run, or may. `refused`: the run or its pull has moved on. Then nothing was written. */
export type Written =
  | { readonly ok: true; readonly run: Run }
  | { readonly ok: false; readonly why: "lost" | "refused" };

/** `revoked`: the agent that serves the session may no longer do so. */
export type StopReason = "lost" | "cancelled" | "revoked";

export interface Hold {
  /** The run as last confirmed. */
  readonly run: Run;
  /** Aborted when the run must not be worked on any more: `reason` is a StopReason. Only `lost` forbids writing. */
  readonly signal: AbortSignal;
  write(operation: Operation, wake?: Wake): Promise<Written>;
  /** Looks for a cancel entity; aborts the signal when there is one. */
  isCancelled(): Promise<boolean>;
  /** Whom the rows come from: `mayServe` is asked wherever a cancel is looked for while the session runs. */
  servedBy(mayServe: () => Promise<boolean>): void;
  /** Looks for a cancel, and asks whether the agent may still serve; aborts the signal where the session must end. */
  mustStop(): Promise<boolean>;
  /** Ends renewing; waits for what is being written. */
  release(): Promise<void>;
}

/** An operation keeps its id over all its tries. */
interface Op {
  readonly id: string;
  readonly sentAt: number;
  readonly wake: Wake | undefined;
}

/** After no answer. */
const PAUSE_MS = 500;

export function hold(deps: PullDeps, claimed: Claimed): Hold {
  const { store, clock } = deps;
  const { key, id } = claimed;
  const partition = pullPartition(key.tenant, key.pull);
  const leaseMs = claimed.run.leaseSeconds * 1000;
  const stop = new AbortController();
  /** Apart from `stop`, whose first reason may be a cancel: this one ends all writing. */
  const gone = new AbortController();
  let run = claimed.run;
  let etag = claimed.etag;
  let released = false;
  let queue: Promise<unknown> = Promise.resolve();
  let stopFuse = () => {};
  let stopRenewing = () => {};
  let mayServe = async () => true;

  const lost = () => gone.signal.aborted;
  const lose = () => {
    gone.abort();
    stop.abort("lost" satisfies StopReason);
  };

  /** Counts from the sending, not from the answer: the service's Timestamp lies between the two. */
  const confirmed = (written: Run, newEtag: string, sentAt: number) => {
    run = written;
    etag = newEtag;
    stopFuse();
    if (!released) stopFuse = clock.after(Math.max(0, sentAt + leaseMs - clock.monotonic()), lose);
  };

  /** Always with the run's own change first. */
  async function stepOf(operation: Operation, opId: string): Promise<Step | undefined> {
    if (operation.on === "run and cursor") {
      const cursor = await store.runs.cursor(key);
      return cursor && operation.step({ id, run: asStored(run, etag), cursor }, opId);
    }
    const result = operation.step(run);
    const { run: changed, changes } = "changes" in result ? result : { run: result, changes: [] };
    const next = { ...changed, opId };
    return { run: next, changes: [replaceRun(id, next, etag), ...changes] };
  }

  async function attempt(
    operation: Operation,
    opId: string,
    wake: Wake | undefined,
  ): Promise<Commit | "refused" | "no answer"> {
    try {
      await wake?.keepFresh();
      const step = await stepOf(operation, opId);
      if (!step || lost()) return "refused";
      const sentAt = clock.monotonic();
      const done = await commit(store.runs.table, partition, step.changes, gone.signal);
      if (done.ok) confirmed(step.run, done.etags[0] ?? "", sentAt);
      return done;
    } catch (thrown) {
      // Our own limits and schemas: a repeat would give the same.
      if (thrown instanceof RangeError || thrown instanceof z.ZodError || thrown instanceof RecordError) throw thrown;
      deps.log("no answer to a write", { ...key, run: id, error: String(thrown) });
      return "no answer";
    }
  }

  /** After 412, 409 or no answer. */
  async function readBack(opId: string, sentAt: number): Promise<"lost" | "applied" | "ended" | "again"> {
    const found = await store.runs.run(key, id);
    const { fence, holder } = claimed.run;
    const became = whatBecame(found?.value, { fence, holder, opId });
    if (found && became === "applied") confirmed(found.value, found.etag, sentAt);
    if (found && became === "again") {
      run = found.value;
      etag = found.etag;
    }
    // An ended run without its new ETag: nothing of this holder can follow.
    return became;
  }

  /** One try and, unless it was plainly taken, the look at what became of it. */
  async function tryOnce(operation: Operation, op: Op): Promise<"applied" | "refused" | "ended" | "lost" | "again"> {
    const result = await attempt(operation, op.id, op.wake);
    if (result === "refused") return lost() ? "lost" : "refused";
    if (result !== "no answer" && result.ok) return "applied";
    if (result === "no answer") await pause(clock, PAUSE_MS);
    return readBack(op.id, op.sentAt).catch(() => "again" as const);
  }

  async function write(operation: Operation, wake?: Wake): Promise<Written> {
    // Whichever try is the one that lands, it was sent after this.
    const op: Op = { id: deps.random(12).toString("hex"), sentAt: clock.monotonic(), wake };
    for (let tries = 1; !lost() && tries <= TRIES; tries++) {
      const state = await tryOnce(operation, op);
      if (state === "applied") {
        // Given back or ended by this very write: not even a renewal may follow.
        if (run.state !== "running") gone.abort();
        return { ok: true, run };
      }
      if (state === "refused") return { ok: false, why: "refused" };
      // For whoever works under this hold, an ended run is as good as a lost one: the session stops.
      if (state === "ended" || state === "lost") break;
    }
    lose();
    return { ok: false, why: "lost" };
  }

  const enqueue = (operation: Operation, wake?: Wake): Promise<Written> => {
    const written = queue.then(() => (lost() ? ({ ok: false, why: "lost" } as const) : write(operation, wake)));
    queue = written.catch(() => undefined);
    return written;
  };

  const isCancelled = async () => {
    const found = (await store.runs.cancel(key, id)) !== undefined;
    if (found) stop.abort("cancelled" satisfies StopReason);
    return found;
  };

  const mustStop = async () => {
    if (await isCancelled()) return true;
    const may = await mayServe();
    if (!may) stop.abort("revoked" satisfies StopReason);
    return !may;
  };

  const renewLater = () => {
    stopRenewing = clock.after(leaseMs / 3, () => {
      if (released || lost()) return;
      const renewed = enqueue({ on: "run", step: (now) => now }).then(mustStop);
      // A look that failed is repeated at the next renewal.
      void renewed.catch((thrown: unknown) => deps.log("renewal failed", { ...key, run: id, error: String(thrown) }));
      void renewed.catch(() => undefined).then(renewLater);
    });
  };
  confirmed(run, etag, claimed.sentAt);
  renewLater();

  return {
    get run() {
      return run;
    },
    signal: stop.signal,
    write: enqueue,
    isCancelled,
    servedBy(asked) {
      mayServe = asked;
    },
    mustStop,
    async release() {
      released = true;
      stopRenewing();
      await queue;
      stopFuse();
    },
  };
}

const asStored = (value: Run, etag: string): Stored<Run> => ({
  value,
  etag,
  row: { partition: "", row: "", etag, timestampMs: Number.NaN, readAtMs: Number.NaN, properties: {} },
});
