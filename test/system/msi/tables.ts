/** An installer's tables and files as msitools reads them, which knows nothing of how they were made. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";

const TIMEOUT_MS = 120_000;

export type Row = Readonly<Record<string, string>>;

export interface Read {
  /** Empty where the installer has no such table. */
  table(name: string): readonly Row[];
  /** What `msiinfo suminfo` says, by its labels. */
  readonly summary: Readonly<Record<string, string>>;
}

export async function run(program: string, args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
  const { stdout } = await promisify(execFile)(program, args, { env, timeout: TIMEOUT_MS });
  return stdout;
}

/** @param work a folder that something may be written to, and removed from again */
export async function readMsi(path: string, work: string): Promise<Read> {
  const folder = mkdtempSync(join(work, "tables-"));
  try {
    await run("msidump", ["-t", "-d", folder, path]);
    const tables = new Map(
      readdirSync(folder).map((name) => [basename(name, ".idt"), rowsOf(readFileSync(join(folder, name), "latin1"))]),
    );
    const summary = (await run("msiinfo", ["suminfo", path])).trimEnd().split("\n").map(labelled);
    return { table: (name) => tables.get(name) ?? [], summary: Object.fromEntries(summary) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const labelled = (line: string): readonly [string, string] => {
  const colon = line.indexOf(": ");
  return [line.slice(0, colon), line.slice(colon + 2)];
};

/** Three lines of head (columns, their types, the table), then a row a line, with tabs between. */
function rowsOf(text: string): Row[] {
  const [columns = "", , , ...rows] = text.split(/\r?\n/);
  const names = columns.split("\t");
  return rows
    .filter((row) => row !== "")
    .map((row) => {
      const cells = row.split("\t");
      return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ""]));
    });
}

/** Unpacks the files below a new folder, and answers their paths in it, sorted. */
export async function extract(path: string, folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  await run("msiextract", ["-C", folder, path]);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
