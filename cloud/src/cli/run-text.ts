/** A run as people read it. */
import type { RunView } from "@sallyport/shared/schema/api.ts";
import type { SuggestionView } from "@sallyport/shared/schema/api-requests.ts";
import type { RunState } from "@sallyport/shared/schema/pull.ts";
import { duration, plain } from "@sallyport/shared/terminal.ts";
import { facts, type Output, table } from "./print.ts";
import { bytes, count, rate, when } from "./words.ts";

const ENDED: ReadonlySet<RunState> = new Set([
  "published",
  "failed",
  "cancelled",
  "superseded",
  "expired",
] satisfies RunState[]);
/** Nothing follows: `decided` is not there yet, its manifest may still be missing. */
export const isFinal = ({ state }: RunView): boolean => ENDED.has(state);

const slices = (run: RunView): string => (run.slices === 1 ? "1 slice" : `${count(run.slices)} slices`);

/** From its start to its end, or to now. */
const tookMs = (run: RunView, nowMs: number): number =>
  (run.endedAt === null ? nowMs : Date.parse(run.endedAt)) - Date.parse(run.startedAt);

export function runTable(runs: readonly RunView[], { coloured }: Output, nowMs: number): string[] {
  const heads = ["RUN", "STATE", "KIND", "ROWS", "BYTES", "STARTED", "TOOK", "ERROR"];
  const rows = runs.map((run) => [
    run.id,
    run.state,
    run.kind,
    count(run.rows),
    bytes(run.bytes),
    when(run.startedAt, nowMs),
    duration(tookMs(run, nowMs)),
    run.error?.code ?? "-",
  ]);
  return table(heads, rows, (cell, head) => (head === "STATE" ? coloured(cell) : cell));
}

export function describeRun(run: RunView, { coloured }: Output, nowMs: number): string[] {
  const { error, suggestion } = run;
  const ended =
    run.endedAt === null
      ? undefined
      : `${run.endedAt} (${when(run.endedAt, nowMs)}), took ${duration(tookMs(run, nowMs))}`;
  const lines = facts([
    ["RUN", run.id],
    ["STATE", run.state],
    ["KIND", run.kind],
    ["ROWS", `${count(run.rows)}, ${bytes(run.bytes)}, ${slices(run)}`],
    ["FROM", run.from ?? "the beginning"],
    ["TO", run.to ?? "-"],
    ["MANIFEST", run.seq === null ? "none" : count(run.seq)],
    ["STARTED", `${run.startedAt} (${when(run.startedAt, nowMs)})`],
    ["ENDED", ended],
    ...run.warnings.map(({ code, message }) => ["WARNING", `${code}: ${message}`] as const),
    ["ERROR", error === null ? undefined : `${error.code}: ${error.message}`],
    ["ADVICE", error?.advice],
    ...(error === null
      ? []
      : Object.entries(error.facts).map(([name, value]) => ["", `${name}: ${String(value)}`] as const)),
  ]);
  const painted = lines.map((line) =>
    line.startsWith("STATE ") ? line.replace(run.state, coloured(run.state)) : line,
  );
  return [...painted, ...suggested(suggestion)];
}

/** Lines of policy that would have allowed what was denied, for its owner. */
export const suggested = (suggestion: SuggestionView | null): string[] =>
  suggestion === null || suggestion.lines.length === 0
    ? []
    : [
        `What would allow it, under connection ${suggestion.connection} of the agent's policy:`,
        ...suggestion.lines.map(plain),
      ];

/** One line of what is going on; committed rows only, so the rate is that of what would stay. */
export function progressLine(run: RunView, { coloured }: Output, nowMs: number): string {
  const parts = [
    coloured(run.state),
    slices(run),
    `${count(run.rows)} rows`,
    bytes(run.bytes),
    rate(run.rows, tookMs(run, nowMs)),
  ];
  if (run.error !== null) parts.push(`${run.error.code}: ${run.error.message}`);
  return parts.join("  ");
}
