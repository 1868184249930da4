/** What a benchmark measured: a table for people, and `bench/results.json` for whoever compares. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";

const result = z.strictObject({
  scenario: z.string(),
  metric: z.string(),
  unit: z.string(),
  ours: z.number(),
  /** What it is compared with, measured in the same run; null where there is none. */
  peerName: z.string().nullable(),
  peer: z.number().nullable(),
  /** `ours` / `peer`. */
  ratio: z.number().nullable(),
  /** What it should stay within, and whether it does; null where nothing is promised. */
  budget: z.string().nullable(),
  held: z.boolean().nullable(),
  /** How many were measured; the figures are their medians. */
  runs: z.int().min(1),
});
export type Result = z.infer<typeof result>;

/** The middle one of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}

export interface Measured {
  readonly metric: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly peer?: { readonly name: string; readonly values: readonly number[] };
  readonly budget?: { readonly most: number } | { readonly least: number };
}

export function resultOf(scenario: string, { metric, unit, ours, peer, budget }: Measured): Result {
  const own = median(ours);
  const base = { scenario, metric, unit, ours: rounded(own), ...promised(own, budget), runs: ours.length };
  if (peer === undefined) return { ...base, peerName: null, peer: null, ratio: null };
  const other = median(peer.values);
  return { ...base, peerName: peer.name, peer: rounded(other), ratio: rounded(own / other) };
}

function promised(own: number, budget: Measured["budget"]): Pick<Result, "budget" | "held"> {
  if (budget === undefined) return { budget: null, held: null };
  if ("most" in budget) return { budget: `≤ ${budget.most}`, held: own <= budget.most };
  return { budget: `≥ ${budget.least}`, held: own >= budget.least };
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** Replaces the scenario's rows in the file and keeps those of the others. */
export function writeResults(file: string, scenario: string, results: readonly Result[]): void {
  const kept = readResults(file).filter((row) => row.scenario !== scenario);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify([...kept, ...results], null, 2)}\n`);
}

function readResults(file: string): Result[] {
  try {
    return z.array(result).parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return []; // none yet, or of an older form
  }
}

export function tableOf(results: readonly Result[]): string {
  const lines = results.map(({ metric, unit, ours, peerName, peer, ratio, budget, held }) => [
    metric,
    `${shown(ours)} ${unit}`,
    budget === null ? "" : `${budget}${held ? "" : "  MISSED"}`,
    peer === null ? "" : `${shown(peer)} ${unit}`,
    ratio === null ? "" : ratio.toFixed(2),
    peerName ?? "",
  ]);
  const all = [["", "ours", "budget", "peer", "ratio", "the peer"], ...lines];
  const widths = all[0]!.map((_, at) => Math.max(...all.map((line) => line[at]!.length)));
  return all
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const shown = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
