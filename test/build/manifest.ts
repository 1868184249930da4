/**
 * What makes a version of the agent into a release that agents update to: an archive that says which version it holds, the manifest
 * over all archives, and the publisher's signature. `npm run release` calls it; so do the tests of updates, with keys of their own.
 */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Channel,
  manifest,
  type ReleaseFile,
  type Ring,
  releaseFile,
} from "@sallyport/shared/release/manifest.ts";
import { publicKeyLine, signMinisign } from "@sallyport/shared/release/minisign.ts";
import { type Entry, file } from "./release/entries.ts";
import { gzipped, tar } from "./release/tar.ts";

export const MANIFEST = "manifest.json";
export const SIGNATURE = "manifest.json.minisig";

export interface ReleaseOf {
  readonly version: string;
  readonly channel: Channel;
  /** How far it is let go; a wider ring later is a new manifest of the same files. */
  readonly ring: Ring;
  /** The oldest version that may go to this one directly. */
  readonly minimum: string;
  readonly notBefore: Date;
}

/** What an unpacked version says of itself: the updater holds it against the manifest. */
export const releaseNote = (version: string, platform: string): Entry =>
  file("release.json", `${JSON.stringify({ version, platform })}\n`);

/**
 * Writes the archive of one platform into `folder`, and answers its part of the manifest.
 * @param entries `node` and `app/…`, as they lie in a version's folder @param platform such as `linux-x64`
 */
export function writeArchive(
  folder: string,
  entries: readonly Entry[],
  {
    version,
    platform,
    epochSeconds,
  }: { readonly version: string; readonly platform: string; readonly epochSeconds: number },
): ReleaseFile {
  const all = [...entries, releaseNote(version, platform)];
  const name = `sallyport-${version}-${platform}.tar.gz`;
  const content = gzipped(tar(all, { epochSeconds }));
  writeFileSync(join(folder, name), content);
  return releaseFile.parse({ platform, name, ...measure(content, all) });
}

/** Sizes and sum, as the manifest has them. */
export const measure = (content: Uint8Array, entries: readonly Entry[]) => ({
  bytes: content.length,
  unpackedBytes: entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.bytes.length : 0), 0),
  sha256: createHash("sha256").update(content).digest("hex"),
});

/** Writes manifest and signature into `folder`. The same inputs and the same key give the same bytes. */
export function writeManifest(folder: string, release: ReleaseOf, files: readonly ReleaseFile[], key: KeyObject): void {
  const said = { v: 1, product: "sallyport-agent", ...release, notBefore: release.notBefore.toISOString(), files };
  writeSigned(folder, Buffer.from(`${JSON.stringify(manifest.parse(said), null, 2)}\n`), release.version, key);
}

/** Writes these bytes as the manifest, and the signature over them. */
export function writeSigned(folder: string, content: Uint8Array, version: string, key: KeyObject): void {
  writeFileSync(join(folder, MANIFEST), content);
  writeFileSync(join(folder, SIGNATURE), signMinisign(content, key, `sallyport-agent ${version}`));
}

/** The publisher's key: an Ed25519 private key in PEM (`openssl genpkey -algorithm ed25519`). @throws Error for another */
export function readPublisherKey(path: string): KeyObject {
  const key = createPrivateKey(readFileSync(path));
  if (key.asymmetricKeyType !== "ed25519") throw new Error(`${path} holds no Ed25519 key`);
  return key;
}

/** A key of one's own, and the line of it that goes into the program (`buildAgent`). */
export function drawPublisherKey(): { readonly privateKey: KeyObject; readonly publicLine: string } {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { privateKey, publicLine: publicKeyLine(privateKey) };
}
