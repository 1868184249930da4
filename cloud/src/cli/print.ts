/** How verbs answer: text for people, or with `--json` one object for programs; errors with code, advice and next step. */
import { type Colour, painted, plain, plainJson } from "@sallyport/shared/terminal.ts";
import { ApiProblem, CliError, exitCodeOf, nextStep } from "./exit.ts";
import { environment } from "./settings.ts";

export interface Output {
  readonly json: boolean;
  /** `value` with `--json`, otherwise `lines`. */
  print(value: unknown, lines: readonly string[]): void;
  /** A state in its colour, on a terminal that wants colours. */
  coloured(state: string): string;
}

const COLOURS: Readonly<Record<string, Colour>> = {
  published: "green",
  active: "green",
  failed: "red",
  revoked: "red",
  running: "cyan",
  decided: "cyan",
  queued: "yellow",
  waiting: "yellow",
  pending: "yellow",
};

export function createOutput(
  json: boolean,
  out: NodeJS.WriteStream = process.stdout,
  noColor: string | undefined = environment.NO_COLOR,
): Output {
  return {
    json,
    print: (value, lines) => void out.write(json ? `${plainJson(value)}\n` : `${lines.join("\n")}\n`),
    coloured: (state) => painted(state, COLOURS[state.trim()], out, noColor),
  };
}

/**
 * Columns padded to their widest cell, two spaces between; numbers stand right.
 * @param paint gets each padded cell of the body with its heading, for colours
 */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  paint: (cell: string, head: string) => string = (cell) => cell,
): string[] {
  const body = rows.map((row) => row.map(plain));
  const widths = heads.map((head, column) => Math.max(head.length, ...body.map((row) => (row[column] ?? "").length)));
  const isNumber = heads.map(
    (_, column) => body.length > 0 && body.every((row) => /^[\d,.]+( [kMGT]?B)?$|^-$/.test(row[column] ?? "")),
  );
  const line = (cells: readonly string[], by: (cell: string, head: string) => string): string =>
    heads
      .map((head, column) => {
        const cell = cells[column] ?? "";
        const width = widths[column] ?? 0;
        const last = column === heads.length - 1;
        return by(isNumber[column] ? cell.padStart(width) : last ? cell : cell.padEnd(width), head);
      })
      .join("  ")
      .trimEnd();
  return [line(heads, (cell) => cell), ...body.map((row) => line(row, paint))];
}

/** Names and values below each other; a value that is undefined leaves its line out. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): string[] {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}`.trimEnd());
}

/** Says on stderr, or with `--json` on stdout, what happened and what to do next; sets the exit code. */
export function fail(error: unknown, json: boolean): void {
  process.exitCode = exitCodeOf(error);
  const said = describe(error);
  if (json) {
    process.stdout.write(`${plainJson({ error: said })}\n`);
    return;
  }
  const lines = [`sallyportctl: ${said.message}`];
  if (said.code !== null) lines.push(`  ${said.code}: ${said.advice ?? ""}`);
  for (const [name, value] of Object.entries(said.facts)) lines.push(`  ${name}: ${factText(value)}`);
  if (said.code === "api.internal" && said.instance !== null) lines.push(`  instance: ${said.instance}`);
  if (said.next !== null) lines.push(`  ${said.next}`);
  process.stderr.write(`${lines.map(plain).join("\n")}\n`);
}

const factText = (value: unknown): string => (Array.isArray(value) ? value.join("; ") : String(value));

/** The shape that `--json` prints: every field always there. */
interface Said {
  readonly code: string | null;
  readonly message: string;
  readonly advice: string | null;
  readonly next: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly instance: string | null;
}

function describe(error: unknown): Said {
  if (error instanceof ApiProblem) {
    const { code, detail, advice, instance, facts = {} } = error.problem;
    return { code, message: detail, advice, next: nextStep(error.problem) ?? null, facts, instance };
  }
  const message = error instanceof Error ? error.message : String(error);
  const next = error instanceof CliError ? error.next : null;
  return { code: null, message, advice: null, next, facts: {}, instance: null };
}
