/** `sallyport journal tail|verify`: what the agent did, and proof that no line was changed or removed. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { ConfigError } from "../config-error.ts";
import type { JournalHead } from "../journal/line.ts";
import { type Verdict, verifyJournal } from "../journal/verify.ts";
import { statePaths } from "../state.ts";
import { readStatus } from "../supervisor/status.ts";
import { EXIT } from "./exit.ts";
import { tail } from "./journal-tail.ts";
import { coloured, counted, type OutputOptions, print } from "./print.ts";
import { guarded, JSON_OPTION, STATE_OPTION, spanMs } from "./verb.ts";

interface StateOptions extends OutputOptions {
  readonly state: string;
}
interface TailOptions extends StateOptions {
  readonly lines?: number;
  readonly since?: number;
  readonly follow?: boolean;
}
interface VerifyOptions extends StateOptions {
  readonly head?: JournalHead;
}

const USUAL_LINES = 20;

export function addJournal(program: Command): void {
  const journal = program.command("journal").description("read or verify the journal");
  journal
    .command("tail")
    .description("the last sessions and acts of the agent, a request and its end as one row")
    .option("-n, --lines <count>", `how many rows (default: ${USUAL_LINES}, with --since all)`, positive)
    .option("--since <time>", "only what came after: 90m, 24h, 7d, or a time as 2026-11-22T08:00Z", since)
    .option("-f, --follow", "go on with what comes, until Ctrl-C; a session's row comes with its end")
    .option(...STATE_OPTION)
    .option("--json", "the journal's own lines")
    .addHelpText(
      "after",
      `
Times are UTC. Every field of --json is in docs/journal.md.

Example:
  sallyport journal tail --since 24h
  sallyport journal tail --follow
  sallyport journal tail --since 7d --json | jq 'select(.decision=="deny")'`,
    )
    .action((options: TailOptions) => guarded(options, () => showTail(options)));
  journal
    .command("verify")
    .description("check the chain of all lines that are kept; exit 1 at the first one that is not in order")
    .option("--head <seq:hash>", "a line that somebody else keeps, as the platform team does: it must be there", head)
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
A chain shows each line that was changed, removed, repeated or moved. That its end was cut off, or that all of it was
written anew, only somebody else can know: the orchestrator keeps the line that it was told of last. What it said of that
is in run/status.json and checked too; the platform team reads the same with \`sallyportctl agents list --json\`.

Example:
  sallyport journal verify
  sallyport journal verify --head 10442:2jmj7l5rSw0yVb_vlWAYkK_YBwk2vJrlZsHvDH0Q4Zk`,
    )
    .action((options: VerifyOptions) => guarded(options, () => verify(options)));
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100_000)
    throw new InvalidArgumentError("give a number from 1 to 100000");
  return value;
}

/** Milliseconds since 1970. */
function since(text: string): number {
  const span = spanMs(text);
  if (span !== undefined) return Date.now() - span;
  const ms = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError("give 90m, 24h, 7d, or a time as 2026-11-22T08:00Z");
  return ms;
}

function head(text: string): JournalHead {
  const [, seq, hash] = /^([1-9][0-9]{0,14}):([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new InvalidArgumentError("give a line's number, a colon and its hash");
  return { seq: Number(seq), hash };
}

/** @throws ConfigError where there is none yet, or the folder is another one. */
function journalFolder(options: StateOptions): string {
  const { root, journal } = statePaths(resolve(options.state));
  if (existsSync(journal)) return journal;
  throw new ConfigError(
    `${root} has no journal: enrol first with \`sallyport enroll\`, or name the agent's folder with --state`,
  );
}

function showTail(options: TailOptions): Promise<void> {
  const { lines = options.since === undefined ? USUAL_LINES : undefined, since: sinceMs } = options;
  const stop = new AbortController();
  if (options.follow === true) process.once("SIGINT", () => stop.abort());
  return tail(
    journalFolder(options),
    {
      json: options.json === true,
      follow: options.follow === true,
      ...(lines === undefined ? {} : { lines }),
      ...(sinceMs === undefined ? {} : { sinceMs }),
    },
    stop.signal,
  );
}

function verify(options: VerifyOptions): void {
  const folder = journalFolder(options);
  const told = readStatus(statePaths(resolve(options.state)), Date.now())?.status.journal?.known;
  const known = options.head ?? (told ? { seq: told.seq, hash: told.hash } : undefined);
  const verdict = verifyJournal(folder, known);
  if (!verdict.ok) process.exitCode = EXIT.no;
  print(options, verdict, verdict.ok ? inOrder(verdict, known) : broken(verdict), (line, index) =>
    coloured(line, index > 0 ? undefined : verdict.ok ? "green" : "red"),
  );
}

const number = (value: number): string => value.toLocaleString("en");

function inOrder(verdict: Extract<Verdict, { ok: true }>, known: JournalHead | undefined): string[] {
  if (verdict.head === null) return ["chain ok: the journal has no line yet"];
  const { lines, firstSeq, from, to } = verdict;
  const kept = firstSeq === 1 ? "" : "   (older ones were removed by retention, as the journal says)";
  const line = known && `line ${number(known.seq)}`;
  return [
    `chain ok   ${counted(lines, "line").replace(/^\d+/, number(lines))}, ${number(firstSeq)} to ${number(verdict.head.seq)}${kept}`,
    `from       ${from}`,
    `to         ${to}`,
    `head       ${verdict.head.seq}:${verdict.head.hash}`,
    verdict.known === "there"
      ? `known      ${line} is as it was told to the orchestrator`
      : verdict.known === "gone"
        ? `known      ${line} is older than what is kept: nothing to compare`
        : "known      nothing: ask the platform team for the line that the orchestrator knows, and give it with --head",
  ];
}

const broken = ({ seq, file, why }: Extract<Verdict, { ok: false }>): string[] => [
  `chain BROKEN at line ${number(seq)}, which ${why}`,
  `in           ${file}`,
  "What to do   1. copy the journal's folder away as it is, with its times, before anything else",
  `             2. lines before ${number(seq)} are in order; find out who could write the folder since then`,
  "             3. compare with the copy at your syslog server, if there is one, and tell the platform team",
];
