/** What agents are offered of releases, and the pieces of their files. An agent has signed each call by then. */
import type { ContainerClient } from "@azure/storage-blob";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  type Channel,
  channel,
  fileName,
  type offeredReleases,
  PIECE_BYTES,
  type Ring,
  reaches,
  ring,
  STATEMENT_SECONDS,
  type UpdateStatement,
} from "@sallyport/shared/release/manifest.ts";
import { compareVersions, version } from "@sallyport/shared/release/version.ts";
import type { z } from "zod";
import type { Store } from "../store/open.ts";
import { manifestOf, releasePath } from "./releases.ts";

export interface OfferDeps {
  readonly store: Pick<Store, "releases">;
  readonly blobs: ContainerClient;
  readonly origin: string;
  readonly signer: Signer;
  now(): Date;
}

/** Enough to go on by a version between, or back by one. */
const MOST_OFFERED = 4;

/** Releases of the channel that have reached the ring, newest first, each with a statement of now. @throws storage.failed */
export async function offerReleases(
  deps: OfferDeps,
  to: Channel,
  agents: Ring,
): Promise<z.infer<typeof offeredReleases>> {
  const from: readonly Channel[] = to === "preview" ? channel.options : [to];
  const all = (await Promise.all(from.map((each) => deps.store.releases.list(each)))).flat();
  const chosen = all
    .flatMap((stored) => {
      const { value } = stored;
      const said = manifestOf(stored);
      const has = value.ring !== null && reaches(value.ring, agents) && reaches(said.ring, agents);
      return has && value.ring !== null ? [{ ...value, ring: value.ring, version: said.version }] : [];
    })
    .sort((a, b) => compareVersions(b.version, a.version))
    .slice(0, MOST_OFFERED);
  const releases = chosen.map(async (each) => ({
    manifest: toBase64url(utf8(each.manifest)),
    signature: each.signature,
    statement: await state(deps, each.manifest, each.ring),
  }));
  return { releases: await Promise.all(releases) };
}

function state({ origin, signer, now }: OfferDeps, manifest: string, ring: Ring): Promise<string> {
  const iat = Math.floor(now().getTime() / 1000);
  const claims: UpdateStatement = {
    aud: origin,
    manifest: toBase64url(sha256(utf8(manifest))),
    ...{ ring, iat, exp: iat + STATEMENT_SECONDS },
  };
  return signJws("update", claims, signer);
}

export interface Piece {
  readonly bytes: Buffer;
  /** The header `Content-Range` (RFC 9110 section 14.4). */
  readonly range: string;
}

/** One piece of a file, of at most 4 MiB. @throws api.not_found, api.invalid for another range */
export async function readPiece(
  { blobs }: Pick<OfferDeps, "blobs">,
  of: { readonly version: string; readonly name: string },
  range: string | null,
): Promise<Piece> {
  if (!version.safeParse(of.version).success || !fileName.safeParse(of.name).success) throw nothing();
  const [, first, last] = (/^bytes=([0-9]{1,12})-([0-9]{1,12})$/.exec(range ?? "") ?? []).map(Number);
  if (first === undefined || last === undefined || last < first || last - first >= PIECE_BYTES)
    throw new SallyportError("api.invalid", `Ask by Range for a piece of at most ${PIECE_BYTES} bytes.`);
  const blob = blobs.getBlobClient(releasePath(of.version, of.name));
  if (!(await blob.exists())) throw nothing();
  const total = (await blob.getProperties()).contentLength ?? 0;
  if (last >= total) throw new SallyportError("api.invalid", `The file has ${total} bytes.`);
  const bytes = await blob.downloadToBuffer(first, last - first + 1);
  return { bytes, range: `bytes ${first}-${last}/${total}` };
}

const nothing = () => new SallyportError("api.not_found", "There is no such file of a release.");

/** Words of an agent's address. @throws api.not_found */
export function readWords(params: Readonly<Record<string, string>>): { channel: Channel; ring: Ring } {
  const words = { channel: channel.safeParse(params.channel).data, ring: ring.safeParse(params.ring).data };
  const { channel: to, ring: agents } = words;
  if (to === undefined || agents === undefined)
    throw new SallyportError("api.not_found", "There is no such channel or ring.");
  return { channel: to, ring: agents };
}
