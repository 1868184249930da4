/**
 * Takes a staged release out of the agent's folder: copies it to where only administrators can write, verifies the copies there,
 * and unpacks them into a version's folder. Nothing that runs is touched, so it can be broken off and done again at any time.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { join } from "node:path";
import { parseJson } from "@sallyport/shared/json.ts";
import { MAX_MANIFEST_BYTES, MAX_SIGNATURE_BYTES, type ReleaseFile } from "@sallyport/shared/release/manifest.ts";
import { z } from "zod";
import { openRegular, readBounded } from "../regular-file.ts";
import { move, type Pinned, syncFolder, writeAll, writeFileDurably } from "../state.ts";
import { unpack } from "./archive.ts";
import { isFull, makeOwn } from "./files.ts";
import { stagedArchive, type UpdatePlaces, unpacking } from "./places.ts";
import { programOf } from "./platform.ts";
import { type Verification, type VerifiedRelease, verifyRelease } from "./verify.ts";

const MIB = 2 ** 20;
const MAX_STATEMENT_BYTES = 4096;
/** Beside what is copied and unpacked: the agent takes no session with less than 50 MB. */
const FREE_BYTES = 64 * MIB;
const COPY_BYTES = MIB;
/** A virus scanner may look at a new program for a while. */
const HELD_FOR_MS = 30_000;

/** A refusal that is the update's end, with nothing changed. */
export class TakeError extends Error {
  override readonly name = "TakeError";
}

/** Copies the three signed documents and verifies the copies. @throws TakeError where nothing is staged */
export async function takeDocuments(
  places: UpdatePlaces,
  releaseKeys: readonly string[],
  pinned: Pick<Pinned, "keys">,
): Promise<Verification> {
  rmSync(places.incoming, { recursive: true, force: true });
  makeOwn(places);
  mkdirSync(places.incoming, { mode: 0o700 });
  const copy = (from: string, name: string, maxBytes: number): Buffer => {
    const bytes = readStaged(from, maxBytes);
    writeFileDurably(join(places.incoming, name), bytes.toString("latin1"));
    return bytes;
  };
  const manifest = copy(places.stagedManifest, "manifest.json", MAX_MANIFEST_BYTES);
  const signature = copy(places.stagedSignature, "manifest.json.minisig", MAX_SIGNATURE_BYTES).toString("latin1");
  const statement = copy(places.stagedStatement, "statement.jws", MAX_STATEMENT_BYTES).toString("latin1").trim();
  return await verifyRelease({ manifest, signature, statement }, releaseKeys, pinned);
}

function readStaged(path: string, maxBytes: number): Buffer {
  let bytes: Buffer | undefined;
  try {
    bytes = readBounded(path, maxBytes);
  } catch (error) {
    throw new TakeError((error as Error).message);
  }
  if (bytes === undefined) throw new TakeError(`nothing is staged: ${path} is not there`);
  // What is copied is the same bytes only where it is ASCII, as all three are.
  if (bytes.some((byte) => byte > 126)) throw new TakeError(`${path} holds other characters than ASCII`);
  return bytes;
}

/**
 * Copies the archive, checks the copy's size and sum, unpacks it and puts it in its place: `versions/<version>`.
 * @param keep versions whose folders are not touched @throws TakeError
 */
export async function takeArchive(
  places: UpdatePlaces,
  { manifest }: VerifiedRelease,
  file: ReleaseFile,
  keep: readonly string[],
): Promise<void> {
  const { version } = manifest;
  if (keep.includes(version)) throw new TakeError(`version ${version} is in use`);
  requireRoom(places, file);
  const archive = join(places.incoming, "archive.tar.gz");
  const folder = unpacking(places, version);
  try {
    copyChecked(stagedArchive(places, file.sha256), archive, file);
    rmSync(folder, { recursive: true, force: true });
    await unpack(archive, folder, file.unpackedBytes);
    requireProgram(folder, version, file.platform);
  } catch (error) {
    dropIncoming(places);
    if (isFull(error)) throw new TakeError("the disk is full");
    throw error instanceof TakeError ? error : new TakeError((error as Error).message);
  }
  // One that was given up, or that the update before the last left here.
  rmSync(join(places.versions, version), { recursive: true, force: true });
  move(folder, join(places.versions, version), HELD_FOR_MS);
  syncFolder(places.versions);
  rmSync(places.incoming, { recursive: true, force: true });
}

function requireRoom({ versions, state }: UpdatePlaces, file: ReleaseFile): void {
  const why = whyNoRoom(file, freeBytesOf(versions), freeBytesOf(state.root));
  if (why !== undefined) throw new TakeError(why);
}

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Pure. A version that takes no session for want of room would be taken for one that does not work.
 * @param freeBytes of the disk with the versions @param stateFreeBytes of the disk with the agent's folder, which may be another
 */
export function whyNoRoom(
  { bytes, unpackedBytes }: Pick<ReleaseFile, "bytes" | "unpackedBytes">,
  freeBytes: number,
  stateFreeBytes: number,
): string | undefined {
  const needed = bytes + unpackedBytes + FREE_BYTES;
  if (freeBytes < needed) return `the disk is too full: ${Math.ceil(needed / MIB)} MiB have to be free`;
  return stateFreeBytes < FREE_BYTES
    ? `the disk with the agent's folder is too full: ${FREE_BYTES / MIB} MiB have to be free`
    : undefined;
}

/** The agent may change its file while it is read, so what counts is what was written. */
function copyChecked(from: string, to: string, { bytes, sha256 }: ReleaseFile): void {
  let source: number;
  try {
    source = openRegular(from);
  } catch {
    throw new TakeError(`the archive is not staged: ${from}`);
  }
  const target = openSync(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const hash = createHash("sha256");
    const piece = Buffer.alloc(COPY_BYTES);
    let copied = 0;
    for (let read = -1; read !== 0; ) {
      read = readSync(source, piece, 0, piece.length, copied);
      copied += read;
      if (copied > bytes) throw new TakeError("the archive is larger than its manifest says");
      hash.update(piece.subarray(0, read));
      writeAll(target, piece.subarray(0, read));
    }
    fsyncSync(target);
    if (copied !== bytes || hash.digest("hex") !== sha256)
      throw new TakeError("the archive has another sum than its manifest says");
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

const releaseNote = z.object({ version: z.string(), platform: z.string() });

/** The program's own word, in `release.json`: a manifest that was signed for another file is noticed before it runs. */
function requireProgram(folder: string, version: string, platform: string): void {
  const said = releaseNote.safeParse(parseJson(readBounded(join(folder, "release.json"), 4096) ?? ""));
  if (said.data?.version !== version || said.data.platform !== platform)
    throw new TakeError(`the archive does not hold version ${version} for ${platform}`);
  for (const name of programOf(platform))
    if (!existsSync(join(folder, name))) throw new TakeError(`the archive has no ${name}`);
}

/** What an update that was broken off left behind. */
export function dropIncoming(places: UpdatePlaces): void {
  rmSync(places.incoming, { recursive: true, force: true });
  for (const name of readdirSync(places.versions))
    if (name.startsWith(".new-")) rmSync(join(places.versions, name), { recursive: true, force: true });
}
