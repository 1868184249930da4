/** The journal: its chain, checked by a process of its own so that a large one delays nothing else; and room for more. */
import { execFile } from "node:child_process";
import { existsSync, statfsSync } from "node:fs";
import { promisify } from "node:util";
import { z } from "zod";
import { type JournalFile, listFiles } from "../journal/files.ts";
import { commandLine, nodeArguments } from "../program.ts";
import type { StatePaths } from "../state.ts";
import type { Check, Verdict } from "./check.ts";

const verdict = z.union([
  z.object({ ok: z.literal(true), lines: z.int() }),
  z.object({ ok: z.literal(false), file: z.string(), seq: z.int(), why: z.string() }),
]);

/** How long the journal is kept, by `journal` in agent.yaml. */
export interface Keeping {
  readonly maxBytes: number;
  readonly maxDays: number;
}

const DAY_MS = 86_400_000;

/** A warning where its size, as it grows, ends a line's time before its days do; from half of the size on, for the rate to be one. */
export function judgedKeeping(
  files: readonly Pick<JournalFile, "bytes" | "firstAtMs">[],
  { maxBytes, maxDays }: Keeping,
  nowMs: number,
): Verdict | undefined {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const keptDays = ((nowMs - (files[0]?.firstAtMs ?? nowMs)) / DAY_MS) * (maxBytes / bytes);
  if (bytes < maxBytes / 2 || !(keptDays < maxDays)) return undefined;
  return {
    status: "warn",
    details: `chain ok, but lines go after about ${Math.floor(keptDays)} d by their size, not after ${maxDays} d`,
    advice: "Raise journal.maxBytes in agent.yaml, copy lines away by journal.syslog, and look who is denied so often.",
  };
}

/** @param verify the standard output of `sallyport journal verify --json`, whatever it ends with; rejects on an abort */
export function checkJournal(
  paths: StatePaths,
  verify: (signal: AbortSignal) => Promise<string>,
  keeping: Keeping,
): Check {
  return {
    ...{ id: "journal", component: "journal", target: "journal/" },
    async look(signal) {
      if (!existsSync(paths.journal) || listFiles(paths.journal).length === 0) {
        const advice = "Is --state the agent's folder? Enrolment writes the first line.";
        return { status: "FAIL", details: "there is none", advice };
      }
      let said: string;
      try {
        said = await verify(signal);
      } catch (thrown) {
        if (!signal.aborted) throw thrown;
        return {
          status: "warn",
          details: "too long to be checked in the time of a check",
          advice: "`sallyport journal verify` takes as long as it needs.",
        };
      }
      const found = judged(said);
      return found.status === "ok" ? (judgedKeeping(listFiles(paths.journal), keeping, Date.now()) ?? found) : found;
    },
  };
}

function judged(said: string): Verdict {
  const found = verdict.parse(JSON.parse(said));
  if (found.ok) return { status: "ok", details: `${found.lines.toLocaleString("en")} lines, chain ok` };
  return {
    status: "FAIL",
    details: `line ${found.seq} in ${found.file} ${found.why}`,
    advice: "Somebody changed the record of what the agent did: keep all files, and find out who.",
  };
}

/** Runs this same command line for another verb. */
export async function verifyInProcess(root: string, signal: AbortSignal): Promise<string> {
  const args = [...nodeArguments(process.execArgv), ...commandLine(), "journal", "verify", "--json", "--state", root];
  try {
    return (await promisify(execFile)(process.execPath, args, { signal, maxBuffer: 64 * 1024 })).stdout;
  } catch (thrown) {
    // A broken chain ends it with 1, and is told of in the same way.
    const { stdout = "", code } = thrown as { readonly stdout?: string; readonly code?: unknown };
    if (code === 1 && stdout !== "") return stdout;
    throw thrown;
  }
}

const MIB = 2 ** 20;
/** With less the agent serves nothing (docs/journal.md). */
const LEAST_FREE_BYTES = 50 * MIB;
const SOON_FULL_BYTES = 1024 * MIB;

export function checkDisk(paths: StatePaths): Check {
  return {
    ...{ id: "disk", component: "disk", target: paths.root },
    async look() {
      const { bavail, bsize } = statfsSync(paths.root);
      return judgedSpace(bavail * bsize);
    },
  };
}

export function judgedSpace(freeBytes: number): Verdict {
  const details = `${freeBytes < 1024 * MIB ? `${Math.floor(freeBytes / MIB)} MiB` : `${Math.floor(freeBytes / MIB / 1024)} GiB`} free`;
  if (freeBytes >= SOON_FULL_BYTES) return { status: "ok", details };
  const advice =
    "With less than 50 MB no session is served: make room, or let the journal keep less (`journal` in agent.yaml).";
  return { status: freeBytes < LEAST_FREE_BYTES ? "FAIL" : "warn", details, advice };
}
