/** What a V8 CPU profile says in a few lines: where the time was spent, by function. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const profile = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.int() }),
    }),
  ),
  samples: z.array(z.int()),
  timeDeltas: z.array(z.number()),
});

/** Samples that say only that a thread waited. */
const WAITING = new Set(["(idle)", "(program)", "(root)"]);
const SHOWN = 16;

/** The functions with the most time of their own, of all profiles in the folder together. */
export function summaryOf(folder: string): string {
  const milliseconds = new Map<string, number>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"))) {
    const { nodes, samples, timeDeltas } = profile.parse(JSON.parse(readFileSync(join(folder, file), "utf8")));
    const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    samples.forEach((id, at) => {
      const name = names.get(id) ?? "";
      milliseconds.set(name, (milliseconds.get(name) ?? 0) + (timeDeltas[at] ?? 0) / 1000);
    });
  }
  const busy = [...milliseconds].filter(([name]) => !WAITING.has(name)).toSorted((a, b) => b[1] - a[1]);
  const total = busy.reduce((sum, [, ms]) => sum + ms, 0);
  const lines = busy
    .slice(0, SHOWN)
    .map(([name, ms]) => `${((ms / total) * 100).toFixed(1).padStart(6)} %  ${ms.toFixed(0).padStart(6)} ms  ${name}`);
  return [`${(total / 1000).toFixed(2)} s in all`, ...lines].join("\n");
}

function nameOf({ functionName, url, lineNumber }: z.infer<typeof profile>["nodes"][number]["callFrame"]): string {
  const place = url.replace(/^.*\/node_modules\//, "").replace(/^file:\/\/.*\/((?:agent|cloud|shared|test)\/)/, "$1");
  return `${functionName === "" ? "(anonymous)" : functionName}${place === "" ? "" : `  ${place}:${lineNumber + 1}`}`;
}
