/** For tests: one run of a pull as the orchestrator drives it, through sessions that die at any row. */
import assert from "node:assert/strict";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { JsonValue } from "@sallyport/shared/rows/to-json.ts";
import type { Operation, Plan, SqlChanges, SqlTable } from "@sallyport/shared/schema/operations.ts";
import { createRecorder, type Recorder } from "./test-output.ts";
import { type Asked, serve, type TestServer } from "./test-server.ts";

export interface RunOptions {
  readonly from?: string | undefined;
  /** Rows after which each session dies, one after the other; then one lives. */
  readonly deaths?: readonly number[];
  /** What others do while rows are on their way. */
  readonly meanwhile?: () => Promise<void>;
  readonly pace?: Asked["pace"];
}

export interface RunResult {
  readonly rows: readonly (readonly JsonValue[])[];
  readonly names: readonly string[];
  readonly plan: Plan;
  readonly warnings: readonly Warning[];
  readonly sessions: number;
}

type Resumable = SqlTable | SqlChanges;

/** What a run knows between its sessions. */
interface Known {
  plan: Plan | undefined;
  position: string | undefined;
  readonly committed: JsonValue[][];
  meanwhile: (() => Promise<void>) | undefined;
}

/** What was committed at checkpoints stays; a plan stays too, but for a snapshot's, of which nothing was committed. */
export async function runPull(server: TestServer, operation: Resumable, options: RunOptions = {}): Promise<RunResult> {
  const known: Known = { plan: undefined, position: undefined, committed: [], meanwhile: options.meanwhile };
  const deaths: readonly (number | undefined)[] = [...(options.deaths ?? []), undefined];
  for (const [at, death] of deaths.entries()) {
    const output = recorder(known);
    const alive = death === undefined ? () => {} : dieAfter(server, death);
    try {
      const pace = { sliceRows: 3, checkpointBytes: 1, ...options.pace };
      const outcome = await serve(server, resumed(operation, options.from, known), output, { pace });
      assert.ok(outcome.complete);
      known.committed.push(...output.rows);
      const names = output.columns.map(({ name }) => name);
      const { warnings = [] } = outcome;
      return { rows: known.committed, names, plan: output.plan!, warnings, sessions: at + 1 };
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== "connection.lost") throw error;
      remember(known, output);
    } finally {
      alive();
    }
  }
  throw new Error("the last session died too");
}

function recorder(known: Known): Recorder {
  return createRecorder({
    batchBytes: 64,
    async beforeFlush() {
      const act = known.meanwhile;
      known.meanwhile = undefined;
      await act?.();
    },
  });
}

/** Only statements that give the rows to be read, not those that ask for a bound. */
const dieAfter = (server: TestServer, rows: number): (() => void) =>
  server.server.faults.add(
    { kind: "reset", afterRows: rows },
    { statement: /^SELECT (TOP \(@n\) )?(\[|CAST).* FROM (\[dbo\]|\[cdc\]|CHANGETABLE)/s, times: 1 },
  );

function resumed(operation: Resumable, from: string | undefined, { plan, position }: Known): Operation {
  return {
    ...operation,
    ...(from === undefined ? {} : { from }),
    ...(plan === undefined ? {} : { plan }),
    ...(position === undefined ? {} : { position }),
  };
}

function remember(known: Known, output: Recorder): void {
  const last = output.checkpoints.at(-1);
  if (last !== undefined) {
    known.position = last.position;
    known.committed.push(...output.rows.slice(0, last.rows));
  }
  if (output.plan?.isolation !== "snapshot") known.plan = output.plan ?? known.plan;
}

/** Folds rows of `sql.changes` by their key. */
export function fold(
  folded: Map<string, readonly JsonValue[]>,
  { rows, names, plan }: Pick<RunResult, "rows" | "names" | "plan">,
): Map<string, readonly JsonValue[]> {
  const places = plan.key.map((name) => names.indexOf(name));
  const operation = names.indexOf("_op");
  for (const row of rows) {
    const key = JSON.stringify(places.map((at) => row[at]));
    const gone = row[operation] === "delete" || row[operation] === "before";
    if (gone) folded.delete(key);
    else
      folded.set(
        key,
        row.filter((_, at) => at !== operation),
      );
  }
  return folded;
}

export const sorted = (rows: Iterable<readonly JsonValue[]>): (readonly JsonValue[])[] =>
  [...rows].sort((a, b) => Number(a[0]) - Number(b[0]));
