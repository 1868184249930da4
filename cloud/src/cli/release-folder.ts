/** A release as `npm run release` leaves it: a manifest with its signature, and beside them the files that it names. */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseJson } from "@sallyport/shared/json.ts";
import { manifest, type ReleaseFile } from "@sallyport/shared/release/manifest.ts";
import type { newRelease } from "@sallyport/shared/schema/api-releases.ts";
import type { z } from "zod";
import { CliError, EXIT } from "./exit.ts";

export interface ReleaseFolder {
  /** Exact texts, because they are signed. */
  readonly body: z.infer<typeof newRelease>;
  readonly files: readonly ReleaseFile[];
}

/** Reads manifest and signature; whose signature it is the agents check, who know the publisher's key. @throws CliError */
export function readRelease(folder: string): ReleaseFolder {
  const text = readIn(folder, "manifest.json");
  const signature = readIn(folder, "manifest.json.minisig");
  const said = manifest.safeParse(parseJson(text));
  if (!said.success) throw wrong(`${join(folder, "manifest.json")} is no manifest of a release.`);
  return { body: { manifest: text, signature }, files: said.data.files };
}

/** Whether a file is the one that the manifest names; read whole. Its path. @throws CliError where it is not */
export async function checkedFile(folder: string, { name, bytes, sha256 }: ReleaseFile): Promise<string> {
  const path = join(folder, name);
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).byteLength;
    }
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
  if (size === bytes && hash.digest("hex") === sha256) return path;
  throw wrong(`${path} is not the file that the manifest names.`);
}

function readIn(folder: string, name: string): string {
  const path = join(folder, name);
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
}

const unreadable = (path: string, thrown: unknown): CliError =>
  wrong(`${path} cannot be read (${(thrown as NodeJS.ErrnoException).code}).`);

const wrong = (message: string): CliError =>
  new CliError(
    EXIT.configuration,
    message,
    "Name the folder that the release was made in, as it is (docs/releasing.md).",
  );
