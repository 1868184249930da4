/** `sallyport journal tail`: the last lines, and with `--follow` those that come. */
import { setTimeout as delay } from "node:timers/promises";
import { plain, plainJson } from "@sallyport/shared/terminal.ts";
import { endOf, linesAfter, START } from "../journal/follow.ts";
import { recentLines } from "../journal/journal.ts";
import { inFieldOrder } from "../journal/line.ts";
import { decodeLine, type ReadLine } from "../journal/read-line.ts";
import { type Entry, entriesOf, HEADS, resultOf, rowOf } from "./journal-rows.ts";
import { coloured, type OutputOptions } from "./print.ts";

export interface TailOptions extends OutputOptions {
  /** How many rows; undefined: all. */
  readonly lines?: number;
  readonly sinceMs?: number;
  readonly follow?: boolean;
}

const LOOK_EVERY_MS = 500;

/** Prints until there is no more, or with `follow` until the signal. */
export async function tail(folder: string, options: TailOptions, signal: AbortSignal): Promise<void> {
  const from = options.follow === true ? endOf(folder) : START;
  const last = lastLines(folder, options);
  const show = options.json === true ? showLines : createTable(last);
  show(last, options.lines);
  if (options.follow !== true) return;
  for (let place = from; ; ) {
    const next = linesAfter(folder, place);
    place = next.place;
    if (next.lines.length > 0) show(next.lines.flatMap((bytes) => decodeLine(bytes) ?? []));
    try {
      await delay(LOOK_EVERY_MS, undefined, { signal });
    } catch {
      return;
    }
  }
}

function lastLines(folder: string, { lines, sinceMs = 0, json }: TailOptions): ReadLine[] {
  const last: ReadLine[] = [];
  // Requests are shown with their ends, so twice as many lines may be needed.
  const most = lines === undefined ? Number.POSITIVE_INFINITY : json === true ? lines : 2 * lines;
  for (const line of recentLines(folder, sinceMs, most)) {
    if (Date.parse(line.at) < sinceMs) continue;
    last.push(line);
    if (last.length > most) last.shift();
  }
  return last;
}

const showLines = (lines: readonly ReadLine[]): void => {
  process.stdout.write(lines.map((line) => `${plainJson(inFieldOrder(line))}\n`).join(""));
};

/** Rows below one head; later ones keep its widths. A session that runs by then is shown again with its end. */
function createTable(soon: readonly ReadLine[]) {
  const open = new Map<string, ReadLine>();
  const withDay = new Set(soon.map(({ at }) => at.slice(0, 10))).size > 1;
  let widths: number[] = [];
  const write = (cells: readonly string[], entry?: Entry): void => {
    const text = plain(
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
    process.stdout.write(`${coloured(text, entry && colourOf(entry))}\n`);
  };
  const begin = (line: ReadLine): void => {
    if (line.request !== undefined) open.set(line.request, line);
  };
  /** Of a session nothing before its end; then both of its lines. */
  const pair = (line: ReadLine): Entry | undefined => {
    if (line.event === "request") return void begin(line);
    const begun = line.event === "end" ? open.get(line.request ?? "") : undefined;
    if (begun === undefined) return { line };
    open.delete(line.request ?? "");
    return { line: begun, end: line };
  };
  return (lines: readonly ReadLine[], most?: number): void => {
    const isFirst = widths.length === 0;
    const paired = isFirst ? entriesOf(lines) : lines.flatMap((line) => pair(line) ?? []);
    if (isFirst) for (const { line, end } of paired) if (end === undefined && line.event === "request") begin(line);
    const shown = paired.slice(most === undefined ? 0 : -most);
    const rows = shown.map((entry) => rowOf(entry, withDay));
    widths = HEADS.map((head, column) =>
      Math.max(widths[column] ?? head.length, ...rows.map((row) => row[column]?.length ?? 0)),
    );
    if (isFirst) write(HEADS);
    for (const [index, row] of rows.entries()) write(row, shown[index]);
  };
}

function colourOf(entry: Entry): "yellow" | "cyan" | undefined {
  const result = resultOf(entry);
  if (result === "running") return "cyan";
  return result.includes(".") || result === "locked" || result === "draining" ? "yellow" : undefined;
}
