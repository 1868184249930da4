/**
 * What a release takes from elsewhere for platforms that it is not made on: archives of npm's registry, named with their sums in
 * release/inputs.json. They cannot be dependencies (npm refuses packages of another platform), so they are fetched by `npm pack`,
 * held against the sum of this repository, and only then unpacked. No script of a package ever runs.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { unpack } from "@sallyport/agent/src/update/archive.ts";
import { z } from "zod";
import { ROOT } from "../root.ts";

/** Of one try. */
const NPM_TIMEOUT_MS = 150_000;
const NPM_TRIES = 3;

const input = z.strictObject({
  name: z.string().regex(/^(@[a-z0-9-]+\/)?[a-z0-9-]+$/),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  /** Subresource integrity, as npm's lockfile writes it: SHA-512 of the archive. */
  integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/),
  /** Of the archive. */
  bytes: z.int().positive(),
  /** Of all its files together. */
  unpackedBytes: z.int().positive(),
  /** The one that is wanted, as a path in the archive. */
  file: z.string().regex(/^package(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/),
});
const inputs = z.strictObject({ windows: z.strictObject({ node: input, koffi: input }) });

export type Input = z.infer<typeof input>;

/** Fetches the archive of `name@version` into an empty folder. */
export type Pack = (specification: string, folder: string) => Promise<void>;

export const INPUTS = join(ROOT, "release/inputs.json");

/** @throws where the file says anything but what is expected of it */
export const readInputs = (path: string = INPUTS): z.infer<typeof inputs> =>
  inputs.parse(JSON.parse(readFileSync(path, "utf8")));

/**
 * Node for Windows x64 and the FFI's binary beside it, as files below `folder`, each with the bytes that release/inputs.json pins.
 * @throws Error where an archive cannot be had or is another
 */
export async function windowsInputs(folder: string): Promise<{ readonly node: string; readonly koffi: string }> {
  const { windows } = readInputs();
  return { node: await fetchInput(windows.node, folder), koffi: await fetchInput(windows.koffi, folder) };
}

/** The wanted file of one input, unpacked below `folder`. @throws Error where the archive is not the one that was pinned */
export async function fetchInput(wanted: Input, folder: string, pack: Pack = npmPack): Promise<string> {
  const specification = `${wanted.name}@${wanted.version}`;
  const own = join(folder, wanted.name.replace("/", "+"));
  const [packed, unpacked] = [join(own, "packed"), join(own, "unpacked")];
  mkdirSync(packed, { recursive: true });
  await pack(specification, packed);
  const [archive, ...others] = readdirSync(packed);
  if (archive === undefined || others.length > 0)
    throw new Error(`npm pack gave no single archive of ${specification}`);
  const path = join(packed, archive);
  checkArchive(path, wanted, specification);
  await unpack(path, unpacked, wanted.unpackedBytes);
  // The sum was taken from the registry once, by a person; this holds what it is the sum of against what it is called.
  const said = JSON.parse(readFileSync(join(unpacked, "package/package.json"), "utf8")) as Partial<Input>;
  if (said.name !== wanted.name || said.version !== wanted.version)
    throw new Error(`the archive of ${specification} says that it is ${said.name}@${said.version}`);
  const file = join(unpacked, wanted.file);
  if (!existsSync(file)) throw new Error(`${specification} holds no ${wanted.file}`);
  return file;
}

function checkArchive(path: string, { bytes, integrity }: Input, specification: string): void {
  // The size first: it bounds what is read.
  const found = statSync(path).size;
  if (found !== bytes) throw new Error(`the archive of ${specification} has ${found} bytes, not ${bytes}`);
  const sum = `sha512-${createHash("sha512").update(readFileSync(path)).digest("base64")}`;
  if (sum !== integrity) throw new Error(`the archive of ${specification} has the sum ${sum}, not ${integrity}`);
}

const npmPack: Pack = async (specification, folder) => {
  // What npm has fetched once is as good: the sum decides.
  const how = ["--prefer-offline", "--ignore-scripts", "--silent", "--no-update-notifier"];
  for (let left = NPM_TRIES - 1; ; left -= 1) {
    try {
      await promisify(execFile)("npm", ["pack", ...how, "--pack-destination", folder, specification], {
        cwd: folder,
        timeout: NPM_TIMEOUT_MS,
        killSignal: "SIGKILL",
      });
      return;
    } catch (error) {
      if (left === 0) throw error;
      // A registry that hangs once answers the next time; what came of it so far is none.
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    }
  }
};
