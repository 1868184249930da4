/**
 * What a release of the agent says of itself, signed by its publisher; and what the orchestrator adds, signed by the key that the
 * agent has pinned: that this release is for agents of this installation, and up to which ring (docs/update.md).
 */
import { z } from "zod";
import { sha256Text } from "../schema/ids.ts";
import { version } from "./version.ts";

export const channel = z.enum(["stable", "preview"]);
export type Channel = z.infer<typeof channel>;

/** In the order in which a release reaches them. */
export const RINGS = ["first", "early", "broad"] as const;
export const ring = z.enum(RINGS);
export type Ring = z.infer<typeof ring>;

/** Whether something that was let go as far as `upTo` has reached this ring. */
export const reaches = (upTo: Ring, agents: Ring): boolean => RINGS.indexOf(agents) <= RINGS.indexOf(upTo);

/** As `process.platform` and `process.arch` say it, but for Windows' name. */
export const platform = z.enum(["linux-x64", "linux-arm64", "windows-x64"]);

const MIB = 2 ** 20;
const MAX_ARCHIVE_BYTES = 256 * MIB;
const MAX_UNPACKED_BYTES = 1024 * MIB;
export const MAX_MANIFEST_BYTES: number = 16 * 1024;
export const MAX_SIGNATURE_BYTES: number = 2048;

/** Names a blob and a file: no folder, nothing hidden. */
export const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);

export const releaseFile = z.strictObject({
  platform,
  name: fileName,
  bytes: z.int().min(1).max(MAX_ARCHIVE_BYTES),
  /** Of everything in it. */
  unpackedBytes: z.int().min(1).max(MAX_UNPACKED_BYTES),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ReleaseFile = z.infer<typeof releaseFile>;

export const manifest = z
  .strictObject({
    v: z.literal(1),
    product: z.literal("sallyport-agent"),
    version,
    channel,
    /** How far its publisher has let it go. */
    ring,
    /** An older agent takes a version between first. */
    minimum: version,
    /** No agent takes it before. */
    notBefore: z.iso.datetime(),
    files: z.array(releaseFile).min(1).max(8),
  })
  .refine(({ files }) => new Set(files.map((file) => file.platform)).size === files.length, "one file a platform");
export type Manifest = z.infer<typeof manifest>;

/** Claims of a `sallyport-update+jws`. */
export const updateStatement = z.object({
  aud: z.url(),
  /** SHA-256 of the manifest's bytes. */
  manifest: sha256Text,
  /** How far the platform team has let it go. */
  ring,
  iat: z.int(),
  exp: z.int(),
});
export type UpdateStatement = z.infer<typeof updateStatement>;

/** How long a statement counts; what is staged for longer has to be asked for again. */
export const STATEMENT_SECONDS: number = 7 * 86_400;

/** A release as an agent is offered it: exact bytes, because these are signed. */
const offeredRelease = z.object({
  /** The manifest's bytes as base64url. */
  manifest: z.string().max(MAX_MANIFEST_BYTES * 2),
  /** The text of its `.minisig`. */
  signature: z.string().max(MAX_SIGNATURE_BYTES),
  statement: z.string().max(4096),
});

/** Newest first. */
export const offeredReleases = z.object({ releases: z.array(offeredRelease).max(8) });

/** Bytes that an agent asks for at a time, so that one answer fits a function's memory and time. */
export const PIECE_BYTES: number = 4 * MIB;

/** What an agent says of its updates with a token request. */
export const updateReport = z.object({
  mode: z.enum(["manual", "notify", "window"]),
  channel,
  ring,
  /** The version that its owner holds it at. */
  pinned: version.nullable(),
  /** Downloaded, and waiting for its owner or for its hour. */
  staged: version.nullable(),
  /** What runs was started by an update that is under way, which waits for a canary. */
  proving: z.boolean().default(false),
  /** How the last update ended. */
  last: z.object({ version, outcome: z.enum(["applied", "rolledBack", "refused"]), at: z.iso.datetime() }).nullable(),
});
export type UpdateReport = z.infer<typeof updateReport>;
