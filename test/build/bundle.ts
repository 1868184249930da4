/** One bundle by esbuild, and what it holds: files with their sizes, packages with their versions. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
// biome-ignore lint/correctness/noUndeclaredDependencies: a tool of the repository's root.
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { ROOT } from "./root.ts";

export type { Plugin };

export interface Bundle {
  readonly folder: string;
  /** Sorted by name. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly javascriptBytes: number;
  /** `name@version`, sorted, of every package with a file in it; our own workspaces are not counted. */
  readonly packages: readonly string[];
}

export interface BundleOptions extends BuildOptions {
  readonly folder: string;
  /** What else goes into the folder, built otherwise. */
  readonly also?: readonly BuildOptions[];
}

/**
 * Builds into a folder that it empties first. The same sources give the same bytes: names come from contents, and no
 * path of this machine goes in.
 * @throws Error with what esbuild refuses or warns of.
 */
export async function bundle(
  { folder, also = [], ...options }: BundleOptions,
  addFiles = (): void | Promise<void> => {},
): Promise<Bundle> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const metafiles = await Promise.all([options, ...also].map((each) => buildInto(folder, each)));
  await addFiles();
  const files = readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: statSync(join(folder, name)).size }));
  return {
    folder,
    files,
    javascriptBytes: files.filter(({ name }) => /\.[cm]?js$/.test(name)).reduce((sum, { bytes }) => sum + bytes, 0),
    packages: [...new Set(metafiles.flatMap(packagesIn))].sort(),
  };
}

async function buildInto(folder: string, options: BuildOptions): Promise<Metafile> {
  const { metafile, warnings } = await build({
    bundle: true,
    platform: "node",
    target: "node24",
    outdir: folder,
    absWorkingDir: ROOT,
    minifyWhitespace: true,
    minifySyntax: true,
    treeShaking: true,
    legalComments: "none",
    metafile: true,
    logLevel: "silent",
    ...options,
  }).catch((error: Error) => {
    // Its own object would print half of esbuild.
    throw new Error(error.message);
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join("\n"));
  return metafile!;
}

/** The packages of what went in, a file that was left out by tree shaking not counted. */
function packagesIn({ outputs }: Metafile): string[] {
  const inputs = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => path),
  );
  return [...new Set(inputs.filter((path) => path.includes("node_modules/")).map(packageOf))];
}

function packageOf(path: string): string {
  // A folder's own package.json may hold no more than `"type"`: the package is the one with a name.
  for (let folder = dirname(join(ROOT, path)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const { name, version } = JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
    if (name !== undefined && version !== undefined) return `${name}@${version}`;
  }
  throw new Error(`${path} belongs to no package.`);
}
