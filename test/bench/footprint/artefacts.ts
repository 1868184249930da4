/** A release, unpacked as it is installed: what each artefact weighs, and how the agent in it is started. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeRelease } from "../../build/release/release.ts";

export interface Artefact {
  /** Of all files in it, as they lie in an installation. */
  readonly unpackedBytes: number;
  /** Of what is downloaded. */
  readonly packedBytes: number;
}

export interface Startable {
  /** What stands before the verb. */
  readonly command: readonly [string, ...string[]];
  /** Whether this command line is that of one of its executors. */
  isExecutor(command: string): boolean;
}

export interface Artefacts {
  /** The .deb: plain Node and the bundle. */
  readonly packaged: Artefact & Startable;
  readonly executable: Artefact & Startable;
  /** The container's root file system, whose program is the package's. */
  readonly image: Artefact;
}

/** @throws Error where the image runs another program than the package: it would have to be measured by itself */
export async function makeArtefacts(folder: string): Promise<Artefacts> {
  const release = join(folder, "release");
  const made = await makeRelease(release);
  const path = (end: string): string => join(release, made.find(({ name }) => name.endsWith(end))!.name);
  const [packaged, image, executable] = ["packaged", "image", "executable"].map((name) => {
    const at = join(folder, name);
    mkdirSync(at);
    return at;
  }) as [string, string, string];
  execFileSync("dpkg-deb", ["--extract", path(".deb"), packaged]);
  execFileSync("tar", ["-xzf", path("-rootfs.tar.gz"), "-C", image, "--no-same-owner"]);
  execFileSync("tar", ["-xzf", path("-executable.tar.gz"), "-C", executable, "--no-same-owner"]);
  const version = versionIn(packaged);
  requireSame(version, versionIn(image));
  return {
    packaged: {
      ...weight(packaged, path(".deb")),
      command: [join(version, "node"), "--disable-warning=ExperimentalWarning", join(version, "app/sallyport.mjs")],
      isExecutor: (command) => command.includes(join(version, "app/executor.cjs")),
    },
    executable: {
      ...weight(executable, path("-executable.tar.gz")),
      command: [join(executable, "sallyport")],
      isExecutor: (command) => command.includes(" @executor"),
    },
    image: weight(image, path("-rootfs.tar.gz")),
  };
}

const weight = (folder: string, packed: string): Artefact => ({
  unpackedBytes: filesIn(folder).reduce((sum, path) => sum + statSync(path).size, 0),
  packedBytes: statSync(packed).size,
});

function versionIn(root: string): string {
  const versions = join(root, "opt/sallyport/versions");
  const [version, ...others] = readdirSync(versions);
  if (version === undefined || others.length > 0) throw new Error(`${versions} should hold one version`);
  return join(versions, version);
}

function requireSame(one: string, other: string): void {
  const name = (root: string) => (path: string) => path.slice(root.length);
  const names = filesIn(one).map(name(one));
  if (names.join() !== filesIn(other).map(name(other)).join())
    throw new Error("the image has other files of the program");
  for (const each of names)
    if (!readFileSync(join(one, each)).equals(readFileSync(join(other, each))))
      throw new Error(`the image has another ${each} than the package`);
}

/** Regular files only, sorted: a link weighs nothing, and leads to what is counted where it lies. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesIn(path);
      return entry.isFile() ? [path] : [];
    })
    .sort();
