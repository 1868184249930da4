/** What the platform team does with releases of the agent: add them, let them go ring by ring, take them back. */
import type { ContainerClient } from "@azure/storage-blob";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  type Channel,
  channel,
  type Manifest,
  manifest,
  type Ring,
  reaches,
} from "@sallyport/shared/release/manifest.ts";
import { compareVersions } from "@sallyport/shared/release/version.ts";
import type { addedRelease, newRelease, ReleaseView } from "@sallyport/shared/schema/api-releases.ts";
import type { z } from "zod";
import type { Links } from "../sinks/links.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { ReleaseRecord } from "../store/releases.ts";

export interface ReleaseDeps {
  readonly store: Pick<Store, "releases">;
  readonly blobs: ContainerClient;
  /** Addresses that write one blob. */
  readonly uploads: Links;
  now(): Date;
}

const UPLOAD_MS = 3_600_000;

/** Below a folder that is no tenant's: their ids have no underscore. */
export const releasePath = (version: string, name: string): string => `_releases/${version}/${name}`;

/** Checked when it was stored. */
export const manifestOf = ({ value }: Stored<ReleaseRecord>): Manifest => manifest.parse(parseJson(value.manifest));

/**
 * Stores a release, offered to nobody yet. The same again answers where its missing files go; a manifest of the same files for a wider
 * ring replaces the one before. Its signature is the agents' to check: they know the publisher's key.
 * @throws api.invalid, api.conflict, storage.failed
 */
export async function addRelease(
  deps: ReleaseDeps,
  body: z.infer<typeof newRelease>,
): Promise<z.infer<typeof addedRelease>> {
  const said = manifest.safeParse(parseJson(body.manifest));
  if (!said.success) throw new SallyportError("api.invalid", "The manifest does not fit its schema.");
  const { version, files } = said.data;
  const { releases } = deps.store;
  const fresh: ReleaseRecord = { ...body, ring: null, addedAt: deps.now().toISOString() };
  let stored = await releases.get(said.data.channel, version);
  if (stored === undefined) await releases.insert(said.data.channel, version, fresh);
  else if (JSON.stringify(manifestOf(stored).files) !== JSON.stringify(files))
    throw new SallyportError("api.conflict", `Version ${version} is there with other files: give another version.`);
  else if (stored.value.manifest !== body.manifest || stored.value.signature !== body.signature) {
    const { manifest: text, signature } = body;
    if ((await releases.update(stored, { ...stored.value, manifest: text, signature })) === undefined)
      throw new SallyportError("api.changed", "The release was changed meanwhile.");
  }
  stored = await requireRelease(deps, said.data.channel, version);
  const expiresAtMs = deps.now().getTime() + UPLOAD_MS;
  const missing = await missingFiles(deps, said.data);
  const upload = missing.map(async (name) => ({
    name,
    url: await deps.uploads(releasePath(version, name), expiresAtMs),
    expiresAt: new Date(expiresAtMs).toISOString(),
  }));
  return { release: viewOf(stored), upload: await Promise.all(upload) };
}

/** Names of the files that are not there, or have another size. */
async function missingFiles({ blobs }: Pick<ReleaseDeps, "blobs">, { version, files }: Manifest): Promise<string[]> {
  const sizes = files.map(async ({ name, bytes }) => {
    const blob = blobs.getBlobClient(releasePath(version, name));
    const isThere = (await blob.exists()) && (await blob.getProperties()).contentLength === bytes;
    return isThere ? [] : [name];
  });
  return (await Promise.all(sizes)).flat();
}

/**
 * Lets a release go as far as `ring`, or takes it back.
 * @throws api.not_found, api.conflict beyond the publisher's own ring or while files are missing, api.changed
 */
export async function setRing(
  deps: ReleaseDeps,
  of: Channel,
  version: string,
  ring: Ring | null,
): Promise<ReleaseView> {
  const stored = await requireRelease(deps, of, version);
  const said = manifestOf(stored);
  // No agent of that ring would ever be offered it.
  if (ring !== null && !reaches(said.ring, ring))
    throw new SallyportError(
      "api.conflict",
      `Version ${version} is signed up to ring ${said.ring} only: publish it again with \`--ring ${ring}\`, and add that manifest.`,
      { ring, publishedTo: said.ring },
    );
  const missing = ring === null ? [] : await missingFiles(deps, said);
  if (missing.length > 0)
    throw new SallyportError(
      "api.conflict",
      `Files of version ${version} are missing: add it again, and upload them.`,
      {
        files: missing,
      },
    );
  const updated = await deps.store.releases.update(stored, { ...stored.value, ring });
  if (updated === undefined) throw new SallyportError("api.changed", "The release was changed meanwhile.");
  return viewOf(updated);
}

async function requireRelease(
  { store }: Pick<ReleaseDeps, "store">,
  of: Channel,
  version: string,
): Promise<Stored<ReleaseRecord>> {
  const stored = await store.releases.get(of, version);
  if (stored === undefined) throw new SallyportError("api.not_found", `There is no release ${version} of ${of}.`);
  return stored;
}

/** Of all channels, newest first. */
export async function listReleases({ store }: Pick<ReleaseDeps, "store">): Promise<ReleaseView[]> {
  const all = await Promise.all(channel.options.map((each) => store.releases.list(each)));
  return all
    .flat()
    .map(viewOf)
    .sort((a, b) => compareVersions(b.version, a.version));
}

function viewOf(stored: Stored<ReleaseRecord>): ReleaseView {
  const { version, channel: of, ring: publishedTo, minimum, notBefore, files } = manifestOf(stored);
  const { ring, addedAt } = stored.value;
  return {
    ...{ version, channel: of, ring, publishedTo, minimum, notBefore, addedAt },
    files: files.map(({ platform, name, bytes }) => ({ platform, name, bytes })),
  };
}
