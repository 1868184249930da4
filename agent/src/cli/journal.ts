/** `sallyport journal tail|verify`: what the agent did, and proof that no line was changed or removed. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { plain, plainJson } from "@sallyport/shared/terminal.ts";
import { type Command, InvalidArgumentError } from "commander";
import { ConfigError, defaultStateDir } from "../config.ts";
import { recentLines } from "../journal/journal.ts";
import type { JournalLine } from "../journal/line.ts";
import { verifyJournal } from "../journal/verify.ts";
import { statePaths } from "../state.ts";
import { EXIT } from "./exit.ts";
import { fail, type OutputOptions, print, table } from "./print.ts";

interface JournalOptions extends OutputOptions {
  readonly state: string;
  readonly lines: number;
}

export function addJournal(program: Command): void {
  const journal = program.command("journal").description("read or verify the journal");
  journal
    .command("tail")
    .description("the last lines, a request and its end as one")
    .option("-n, --lines <count>", "how many lines", positive, 20)
    .option("--state <dir>", "the agent's folder", defaultStateDir())
    .option("--json", "the journal's own lines")
    .addHelpText(
      "after",
      "\nExample:\n  sallyport journal tail -n 50\n  sallyport journal tail --json | jq 'select(.decision==\"deny\")'",
    )
    .action((options: JournalOptions) => guarded(options, () => tail(options)));
  journal
    .command("verify")
    .description("check the chain of all lines that are kept; exit 1 when it is broken")
    .option("--state <dir>", "the agent's folder", defaultStateDir())
    .option("--json", "one JSON object on the standard output")
    .addHelpText("after", "\nExample:\n  sallyport journal verify")
    .action((options: JournalOptions) => guarded(options, () => verify(options)));
}

function guarded(options: OutputOptions, act: () => void): void {
  try {
    act();
  } catch (error) {
    fail(error, options);
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100_000)
    throw new InvalidArgumentError("give a number from 1 to 100000");
  return value;
}

/** @throws ConfigError where there is none yet, or the folder is another one. */
function journalFolder(options: JournalOptions): string {
  const { root, journal } = statePaths(resolve(options.state));
  if (existsSync(journal)) return journal;
  throw new ConfigError(
    `${root} has no journal: enrol first with \`sallyport enroll\`, or name the agent's folder with --state`,
  );
}

function verify(options: JournalOptions): void {
  const verdict = verifyJournal(journalFolder(options));
  if (!verdict.ok) process.exitCode = EXIT.no;
  print(options, verdict, [
    verdict.ok
      ? `${verdict.lines} lines from ${verdict.firstSeq}, chain ok, head ${verdict.head?.hash ?? "none"}`
      : `line ${verdict.seq} in ${verdict.file} ${verdict.why}`,
  ]);
}

function tail(options: JournalOptions): void {
  const last: JournalLine[] = [];
  for (const line of recentLines(journalFolder(options), 0)) {
    last.push(line);
    // Requests are shown with their ends, so twice as many lines may be needed.
    if (last.length > 2 * options.lines) last.shift();
  }
  if (options.json === true) {
    process.stdout.write(
      last
        .slice(-options.lines)
        .map((line) => `${plainJson(line)}\n`)
        .join(""),
    );
    return;
  }
  const ends = new Map(last.filter(({ event }) => event === "end").map((line) => [line.request, line]));
  const shown = last.filter(
    (line) => line.event !== "end" || !last.some((each) => each.event === "request" && each.request === line.request),
  );
  const heads = ["TIME", "OP", "CONN", "OBJECT", "RULE", "RESULT", "ROWS", "BYTES", "MS", "CALLER"];
  const rows = shown
    .slice(-options.lines)
    .map((line) => row(line, line.event === "request" ? ends.get(line.request) : line));
  process.stdout.write(
    `${table([heads, ...rows])
      .map(plain)
      .join("\n")}\n`,
  );
}

function row(line: JournalLine, end: JournalLine | undefined): string[] {
  const running = line.event === "request" && end === undefined && line.decision === "allow";
  const result = end?.code ?? line.code ?? (running ? "running" : "ok");
  return [
    line.at.slice(11, 19),
    line.action === undefined ? (line.op ?? line.event) : `${line.op} ${line.action}`,
    line.connection ?? "-",
    line.object ?? "-",
    line.rule ?? "-",
    result,
    end?.rowsOut === undefined ? "-" : end.rowsOut.toLocaleString("en"),
    end?.bytesOut === undefined ? "-" : end.bytesOut.toLocaleString("en"),
    end?.durationMs === undefined ? "-" : end.durationMs.toLocaleString("en"),
    line.caller ?? "-",
  ];
}
