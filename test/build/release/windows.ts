/** What Windows x64 installs: an archive for those who copy files, and the installer. Signed both, or neither. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Authenticode, signAuthenticode } from "./authenticode.ts";
import type { Entry } from "./entries.ts";
import type { ExecutableProduct } from "./executable.ts";
import { buildMsi } from "./msi/build.ts";
import type { InstalledFile } from "./msi/description.ts";
import { sallyportInstaller } from "./msi/sallyport.ts";

export interface ForWindows {
  /** Without it the program, what it loads and the installer are unsigned, and depend on nothing but the sources. */
  readonly authenticode?: Authenticode | undefined;
}

interface Of extends ForWindows {
  readonly version: string;
  readonly epochSeconds: number;
  /** An empty folder. */
  readonly work: string;
}

const PROGRAM = "sallyport.exe";
/** What Windows runs: the program, and the library that it loads from beside it. */
const RUNS = /\.(exe|node)$/;

/** The archive's entries, what Windows runs of them signed where it is to be, and the installer of the same files. */
export async function windowsArtefacts(
  { entries }: Pick<ExecutableProduct, "entries">,
  { version, epochSeconds, work, authenticode }: Of,
): Promise<{ readonly entries: readonly Entry[]; readonly msi: Buffer }> {
  const folder = join(work, "files");
  mkdirSync(folder, { recursive: true });
  const signed = async (path: string): Promise<string> => {
    if (authenticode === undefined) return path;
    // The tool goes by the name's end.
    const to = path.replace(/(\.\w+)$/, ".signed$1");
    await signAuthenticode(path, to, authenticode, epochSeconds);
    return to;
  };
  const written = async (entry: Entry): Promise<InstalledFile & { readonly entry: Entry }> => {
    if (entry.kind !== "file") throw new Error(`${entry.path} is no file`);
    const path = join(folder, entry.path);
    writeFileSync(path, entry.bytes);
    if (!RUNS.test(entry.path)) return { name: entry.path, path, entry };
    const runs = await signed(path);
    return { name: entry.path, path: runs, entry: { ...entry, bytes: readFileSync(runs) } };
  };
  const all = await Promise.all(entries.map(written));
  const [program, ...beside] = [...all].sort((a, b) => Number(b.name === PROGRAM) - Number(a.name === PROGRAM));
  if (program?.name !== PROGRAM) throw new Error(`there is no ${PROGRAM}`);
  const msi = await buildMsi(sallyportInstaller(version, [program, ...beside]), epochSeconds, join(work, "msi"));
  const installer = join(work, "sallyport.msi");
  writeFileSync(installer, msi);
  return { entries: all.map(({ entry }) => entry), msi: readFileSync(await signed(installer)) };
}
