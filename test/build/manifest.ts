/**
 * What makes files of the agent into a release that agents update to: `release.json` in each archive, the manifest over all, and the
 * publisher's signature. `npm run release` calls it; so do the tests of updates, with keys of their own.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Channel, manifest, type Ring } from "@sallyport/shared/release/manifest.ts";
import { publicKeyLine, signMinisign } from "@sallyport/shared/release/minisign.ts";
import { type ArchiveEntry, entriesOf, writeArchive } from "./archive.ts";

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
  /** A folder with `node` and `app/` for each platform, such as `linux-x64`. */
  readonly programs: Readonly<Record<string, string>>;
}

export interface WrittenRelease {
  readonly manifest: string;
  readonly signature: string;
  readonly archives: readonly string[];
}

/** Writes archives, manifest and signature into `folder`. The same inputs and the same key give the same bytes. */
export function writeRelease(folder: string, release: ReleaseOf, privateKey: KeyObject): WrittenRelease {
  const { programs, notBefore, ...said } = release;
  const files = Object.entries(programs).map(([platform, program]) => {
    const name = `sallyport-agent-${release.version}-${platform}.tar.gz`;
    return {
      platform,
      name,
      ...writeArchive([...entriesOf(program), releaseNote(release.version, platform)], join(folder, name)),
    };
  });
  const content = manifest.parse({
    ...{ v: 1, product: "sallyport-agent", ...said },
    notBefore: notBefore.toISOString(),
    files,
  });
  writeManifest(folder, Buffer.from(`${JSON.stringify(content, null, 2)}\n`), release.version, privateKey);
  return {
    manifest: join(folder, MANIFEST),
    signature: join(folder, SIGNATURE),
    archives: files.map(({ name }) => join(folder, name)),
  };
}

/** What an unpacked version says of itself. */
export const releaseNote = (version: string, platform: string): ArchiveEntry => ({
  name: "release.json",
  content: Buffer.from(`${JSON.stringify({ version, platform })}\n`),
});

/** Writes these bytes and the signature over them. */
export function writeManifest(folder: string, content: Uint8Array, version: string, privateKey: KeyObject): void {
  writeFileSync(join(folder, MANIFEST), content);
  writeFileSync(join(folder, SIGNATURE), signMinisign(content, privateKey, `sallyport-agent ${version}`));
}

/** The publisher's key: an Ed25519 private key in PEM (`openssl genpkey -algorithm ed25519`). @throws Error for another */
export function readPublisherKey(file: string): KeyObject {
  const key = createPrivateKey(readFileSync(file));
  if (key.asymmetricKeyType !== "ed25519") throw new Error(`${file} holds no Ed25519 key`);
  return key;
}

/** A key of one's own, and the line of it that goes into the program. */
export function drawPublisherKey(): { readonly privateKey: KeyObject; readonly publicLine: string } {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { privateKey, publicLine: publicKeyLine(privateKey) };
}
