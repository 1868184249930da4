import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { describeError } from "./log.ts";
import { startProblem } from "./start-problem.ts";

const packageJson = z.object({ main: z.union([z.string(), z.array(z.string()).min(1)]) });

/**
 * Loads the app of a folder: every file that matches `main` of its package.json, in alphabetical order. Test files
 * beside the sources are left out, so that a pattern like `src/functions/*.ts` names what a bundle would contain.
 * Throws a StartProblem when nothing matches or a file throws: one bad file blocks the whole app, as in Azure.
 */
export async function loadApp(appDir: string): Promise<void> {
  const patterns = await readEntryPatterns(appDir);
  const files = await Array.fromAsync(glob(patterns, { cwd: appDir, exclude: ["**/node_modules/**"] }));
  const entries = selectEntries(files);
  if (entries.length === 0) throw startProblem(`No file in ${appDir} matches "main": ${patterns.join(", ")}`);
  for (const entry of entries) await loadEntry(appDir, entry);
}

/** The files to load, in order, of those that match. */
export function selectEntries(files: readonly string[]): string[] {
  return files.filter((file) => !/\.test\.[cm]?[jt]s$/.test(file)).sort();
}

async function readEntryPatterns(appDir: string): Promise<string[]> {
  try {
    const { main } = packageJson.parse(JSON.parse(await readFile(join(appDir, "package.json"), "utf8")));
    return typeof main === "string" ? [main] : main;
  } catch (error) {
    throw startProblem(
      `${join(appDir, "package.json")} must exist and have "main": a file, a pattern or a list.`,
      error,
    );
  }
}

async function loadEntry(appDir: string, entry: string): Promise<void> {
  try {
    await import(pathToFileURL(join(appDir, entry)).href);
  } catch (error) {
    throw startProblem(`Worker was unable to load entry point "${entry}": ${describeError(error)}`, error);
  }
}
