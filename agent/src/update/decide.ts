/** Which release may be applied when: all that the two signed documents, the owner's files and the clock say. Pure. */
import {
  type Channel,
  type Manifest,
  type ReleaseFile,
  type Ring,
  reaches,
  type UpdateStatement,
} from "@sallyport/shared/release/manifest.ts";
import { compareVersions } from "@sallyport/shared/release/version.ts";
import { isInRange, timeIn } from "../policy/local-time.ts";

/** Both signatures were checked, and that the statement is about this manifest. */
export interface Release {
  readonly manifest: Manifest;
  readonly statement: UpdateStatement;
}

/** What the owner asked for by a command, which only administrators can give. */
export interface Wish {
  readonly version: string;
  /** Also to a version before the one that runs. */
  readonly downgrade: boolean;
}

export interface Facts {
  /** The version that runs, by the installation's own link. */
  readonly installed: string;
  /** As in the manifest: `linux-x64`. */
  readonly platform: string;
  readonly origin: string;
  readonly channel: Channel;
  readonly ring: Ring;
  readonly mode: "manual" | "notify" | "window";
  readonly hours: Hours;
  /** The version that the owner holds this machine at. */
  readonly pinned: string | undefined;
  /** Versions that were applied here and never became healthy. */
  readonly failed: readonly string[];
  readonly now: Date;
}

/** When an agent may update by itself: all day where `allow` is not there. */
export interface Hours {
  readonly allow?: readonly string[] | undefined;
  readonly timezone: string;
}

/** A clock that is a little behind the orchestrator's. */
const SKEW_SECONDS = 300;

export type Verdict = { readonly ok: true; readonly file: ReleaseFile } | { readonly ok: false; readonly why: Reason };

/** Each with a sentence in `REASONS`. */
export type Reason = keyof typeof REASONS;

export const REASONS = {
  platform: "it has no file for this machine's platform",
  origin: "the orchestrator's statement is for another origin",
  expired: "the orchestrator's statement has expired: ask again with `sallyport update check`",
  future: "the orchestrator's statement is of the future: look at this machine's clock",
  channel: "it is of a channel that agent.yaml does not name",
  ring: "it has not been let go as far as this agent's ring",
  early: "its time (notBefore) has not come",
  same: "this version runs already",
  older: "it is older than what runs: only `sallyport update apply --version … --downgrade` goes back",
  step: "this agent is older than it takes (minimum): a version between comes first",
  pinned: "the owner has pinned another version (`sallyport update pin`)",
  unasked: "the owner's command named another version",
  mode: "policy.yaml does not say `updates: window`, and nobody asked for it",
  hours: "it is outside of the owner's hours for updates (agent.yaml `updates.hours`)",
  failed: "it was applied here before and never became healthy: only the owner's command tries it again",
} as const;

/**
 * Whether `release` may be applied now.
 * @param wish the owner's command; without one only what their files allow unattended
 */
export function decide(release: Release, facts: Facts, wish: Wish | undefined): Verdict {
  const { manifest } = release;
  const why = whyNotOffered(release, facts) ?? whyNotNext(manifest, facts, wish) ?? whyNotNow(manifest, facts, wish);
  if (why !== undefined) return { ok: false, why };
  const file = fileFor(manifest, facts.platform);
  return file === undefined ? { ok: false, why: "platform" } : { ok: true, file };
}

export const fileFor = ({ files }: Manifest, platform: string): ReleaseFile | undefined =>
  files.find((file) => file.platform === platform);

/** The owner's say is not asked here: not even their command takes what was not let go for them. */
export function whyNotOffered({ manifest, statement }: Release, facts: Facts): Reason | undefined {
  const nowMs = facts.now.getTime();
  if (fileFor(manifest, facts.platform) === undefined) return "platform";
  if (statement.aud !== facts.origin) return "origin";
  if (statement.exp * 1000 <= nowMs) return "expired";
  if ((statement.iat - SKEW_SECONDS) * 1000 > nowMs) return "future";
  // Whoever looks at previews gets releases too.
  if (manifest.channel === "preview" && facts.channel !== "preview") return "channel";
  if (!reaches(manifest.ring, facts.ring) || !reaches(statement.ring, facts.ring)) return "ring";
  return Date.parse(manifest.notBefore) > nowMs ? "early" : undefined;
}

function whyNotNext({ version, minimum }: Manifest, facts: Facts, wish: Wish | undefined): Reason | undefined {
  const order = compareVersions(version, facts.installed);
  if (order === 0) return "same";
  if (order < 0) return wish?.version === version && wish.downgrade ? undefined : "older";
  return compareVersions(facts.installed, minimum) < 0 ? "step" : undefined;
}

function whyNotNow({ version }: Manifest, facts: Facts, wish: Wish | undefined): Reason | undefined {
  if (facts.pinned !== undefined && facts.pinned !== version) return "pinned";
  if (wish !== undefined) return wish.version === version ? undefined : "unasked";
  if (facts.mode !== "window") return "mode";
  if (facts.failed.includes(version)) return "failed";
  return isInHours(facts.hours, facts.now) ? undefined : "hours";
}

const isInHours = ({ allow, timezone }: Hours, now: Date): boolean =>
  allow === undefined || allow.some((range) => isInRange(range, timeIn(timezone, now)));

/** Of those that may go to this agent, the newest after what runs; and the one that its owner pinned before any other. */
export function newestOf<T extends Release>(releases: readonly T[], facts: Facts): T | undefined {
  return releases
    .filter((release) => whyNotOffered(release, facts) === undefined)
    .filter(({ manifest }) => whyNotNext(manifest, facts, undefined) === undefined)
    .filter(({ manifest }) => facts.pinned === undefined || facts.pinned === manifest.version)
    .sort((a, b) => compareVersions(b.manifest.version, a.manifest.version))[0];
}
