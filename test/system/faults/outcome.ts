/** What is seen of a run from outside, and what is wrong with it. Pure, so that each wrong outcome can be planted. */
import { ERRORS, type ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";

export interface Outcome {
  readonly run: RunView;
  /** Codes that the run's view showed on the way, in their order, and the last one. */
  readonly said: readonly string[];
  /** What GET …/parts shows. */
  readonly parts: number;
  readonly hasManifest: boolean;
  /** Manifests of the pull in the container, whoever wrote them. */
  readonly manifests: number;
  /** Ids of all rows in all visible parts, by a reader that is not ours. */
  readonly ids: readonly number[];
  /** The agent's lines of this run, in their order. */
  readonly journal: readonly JournalLine[];
  /** The journal's whole text. */
  readonly journalText: string;
  readonly agent: "alive" | "ended" | "another";
}

export type JournalLine = Readonly<Record<string, unknown>>;

export interface Expected {
  /** `published`: with every row once. A code: failed with it, and nothing to be seen. */
  readonly end: "published" | ErrorCode;
  /** What the run says while it waits for its next try; left out where it may have no time to. */
  readonly says?: ErrorCode;
  /** How the sessions end in the agent's journal, one after the other; the last may be several times. */
  readonly sessions: readonly (SessionEnd | readonly SessionEnd[])[];
  readonly rows: number;
  /** What no journal may hold. */
  readonly secrets: readonly string[];
}

/** A list where chance decides, such as whether the agent had said its last word when the orchestrator noticed. */
export type SessionEnd = ErrorCode | "ok";

/** One sentence for each thing that is not as it must be. */
export const outcomeFaults = (seen: Outcome, expected: Expected): string[] => [
  ...endFaults(seen, expected),
  ...(expected.end === "published" ? rowFaults(seen.ids, expected.rows) : visibleFaults(seen)),
  ...journalFaults(seen, expected),
  ...(seen.agent === "alive" ? [] : [`the agent is ${seen.agent}`]),
];

function endFaults({ run, said }: Outcome, { end, says }: Expected): string[] {
  const faults: string[] = [];
  const state = end === "published" ? "published" : "failed";
  if (run.state !== state)
    faults.push(`the run is ${run.state}, not ${state}: ${run.error?.code ?? "without an error"}`);
  const code = end === "published" ? undefined : end;
  if (run.error?.code !== code) faults.push(`the run's code is ${run.error?.code ?? "none"}, not ${code ?? "none"}`);
  else if (code !== undefined && run.error?.advice !== ERRORS[code].advice)
    faults.push("the advice is not the table's");
  if (says !== undefined && !said.includes(says))
    faults.push(`the run never said ${says}, but ${said.join(", ") || "nothing"}`);
  return faults;
}

function visibleFaults({ parts, hasManifest, manifests, ids }: Outcome): string[] {
  return [
    ...(parts > 0 ? [`${parts} parts of a failed run can be seen`] : []),
    ...(hasManifest || manifests > 0 ? ["a failed run has a manifest"] : []),
    ...(ids.length > 0 ? [`${ids.length} rows of a failed run can be read`] : []),
  ];
}

/** Ids are 1 to `rows`, each once. */
export function rowFaults(ids: readonly number[], rows: number): string[] {
  const there = new Set(ids);
  const lost = Array.from({ length: rows }, (_, index) => index + 1).filter((id) => !there.has(id)).length;
  const foreign = [...there].filter((id) => id < 1 || id > rows).length;
  return [
    ...(lost > 0 ? [`${lost} rows are lost`] : []),
    ...(foreign > 0 ? [`${foreign} rows are not the table's`] : []),
    ...(ids.length > there.size ? [`${ids.length - there.size} rows came twice`] : []),
  ];
}

/** Names of the journal's fields, docs/journal.md, that a line of a read's session may have. */
export const FIELDS: ReadonlySet<string> = new Set(
  (
    "seq at prev event agent site version policy request run pull caller connection op object login rule decision " +
    "code rowsOut bytesOut rowsIn bytesReserved startedMs durationMs source reported"
  ).split(" "),
);

/** A login that was not taken has a line of its own, which the breaker counts. */
const REFUSED_LOGIN: ReadonlySet<string> = new Set<ErrorCode>(["connection.login_failed", "connection.account_locked"]);

function journalFaults({ journal, journalText }: Outcome, { sessions, secrets }: Expected): string[] {
  const faults: string[] = [];
  const requests = journal.filter(({ event }) => event === "request");
  const ends = journal.filter(({ event }) => event === "end");
  for (const { request } of requests) {
    const lines = journal.filter((line) => line.request === request);
    const own = lines.map(({ event }) => event);
    const refused = REFUSED_LOGIN.has(String(lines.at(-1)?.code));
    if (own.join() !== (refused ? "request,login,end" : "request,end"))
      faults.push(`the lines of session ${request} are ${own.join(", ")}`);
  }
  if (ends.length !== requests.length) faults.push(`${requests.length} sessions have ${ends.length} ends`);
  const codes = ends.map(({ code }) => (code ?? "ok") as SessionEnd);
  const wanted = codes.map((_, index) => [sessions[Math.min(index, sessions.length - 1)] ?? []].flat());
  if (codes.length < sessions.length || codes.some((code, index) => !wanted[index]?.includes(code)))
    faults.push(
      `the sessions ended with ${codes.join(", ") || "no line"}, not ${sessions.map(String).join("; ") || "none"}`,
    );
  for (const name of new Set(journal.flatMap(Object.keys)))
    if (!FIELDS.has(name)) faults.push(`the journal has a field ${name}`);
  if (secrets.some((secret) => journalText.includes(secret))) faults.push("the journal holds what it must not");
  return faults;
}
