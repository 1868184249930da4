/** Bodies and answers of the routes about releases of the agent. */
import { z } from "zod";
import { channel, fileName, MAX_MANIFEST_BYTES, MAX_SIGNATURE_BYTES, manifest, ring } from "../release/manifest.ts";
import { version } from "../release/version.ts";

/** A manifest and its signature as the publisher wrote them: exact text, because it is signed. */
export const newRelease = z.strictObject({
  manifest: z.string().min(2).max(MAX_MANIFEST_BYTES),
  signature: z.string().min(2).max(MAX_SIGNATURE_BYTES),
});

/** `ring: null` withdraws it: no agent is offered it any more. */
export const releaseRing = z.strictObject({ ring: ring.nullable() });

export const releaseView = z.object({
  version,
  channel,
  /** How far the platform team has let it go; null while it is offered to nobody. */
  ring: ring.nullable(),
  /** How far its publisher has. */
  publishedTo: ring,
  minimum: manifest.shape.minimum,
  notBefore: z.iso.datetime(),
  addedAt: z.iso.datetime(),
  files: z.array(z.object({ platform: z.string(), name: fileName, bytes: z.int() })),
});
export type ReleaseView = z.infer<typeof releaseView>;

/** Where each file that is not there yet is to be put (a PUT of the whole as a block blob), until `expiresAt`. */
export const addedRelease = z.object({
  release: releaseView,
  upload: z.array(z.object({ name: fileName, url: z.url(), expiresAt: z.iso.datetime() })),
});
