/** `sallyport update check`, and what every verb of `update` begins with: where this installation lies, and what its owner says. */
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { type AgentConfig, loadConfig } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { loadIdentity } from "../keys.ts";
import { loadNetwork } from "../origin.ts";
import { parsePolicy } from "../policy/file.ts";
import { readPinned, readTextIfAny } from "../state.ts";
import type { SignedDeps } from "../supervisor/signed.ts";
import { askReleases, type Offered } from "../update/ask.ts";
import { type Facts, newestOf, REASONS, type Reason, whyNotOffered } from "../update/decide.ts";
import { installedPlaces } from "../update/installed.ts";
import { factsOf } from "../update/owner.ts";
import type { UpdatePlaces } from "../update/places.ts";
import { linksPlatform, type Platform } from "../update/platform.ts";
import { RELEASE_KEYS } from "../update/release-keys.ts";
import { platformByAsking } from "../update/windows/start.ts";
import { print, table } from "./print.ts";
import type { UpdateOptions } from "./update-options.ts";

/** @throws ConfigError where this program was not installed as one that can be updated */
export function requirePlaces(state: string): UpdatePlaces {
  const places = installedPlaces(resolve(state));
  if (places !== undefined) return places;
  throw new ConfigError(
    process.platform === "win32"
      ? "this program does not lie in a folder of versions, as the installer makes it, so it is not updated from here"
      : "this program does not lie in /opt/sallyport/versions, so it is not updated from here: replace the container, the file or the sources",
  );
}

/** Which version runs, and which one's updater: asked for, never changed. */
export const platformOf = (places: UpdatePlaces): Pick<Platform, "name" | "versionOf"> =>
  process.platform === "win32" ? platformByAsking(places) : linksPlatform;

/** Looked at before anything is downloaded. @throws ConfigError */
export function requireWritable({ versions }: UpdatePlaces): void {
  const { geteuid } = process;
  if (geteuid?.() === 0 || (geteuid === undefined ? takesFiles(versions) : isWritable(versions))) return;
  const how = geteuid === undefined ? "an administrator's terminal" : "root";
  throw new ConfigError(`only administrators change ${versions}: run it ${geteuid === undefined ? "in" : "as"} ${how}`);
}

/** Windows' lists are known only by trying. A name that the updater would remove. */
function takesFiles(folder: string): boolean {
  try {
    rmSync(mkdtempSync(join(folder, ".new-")), { recursive: true });
    return true;
  } catch {
    return false;
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Installation {
  readonly places: UpdatePlaces;
  readonly config: AgentConfig;
  readonly facts: Facts;
}

/** @throws ConfigError, policy.invalid */
export function readInstallation(options: UpdateOptions): Installation {
  const places = requirePlaces(options.state);
  const config = loadConfig(places.config);
  const now = new Date();
  const mode = parsePolicy(readTextIfAny(places.policy) ?? "", now).updates;
  return { places, config, facts: factsOf(places, platformOf(places), config, mode, now) };
}

/** @throws ConfigError where nobody is enrolled; network.* and what the orchestrator refuses with */
export async function askFor(
  { places, config }: Installation,
  signal: AbortSignal,
): Promise<{ readonly deps: SignedDeps; readonly offered: Offered }> {
  const pinned = readPinned(places.state);
  if (pinned === undefined) throw new ConfigError("no agent is enrolled here: `sallyport enroll` comes first");
  const deps: SignedDeps = {
    origin: config.origin,
    agent: pinned.agent,
    signer: (await loadIdentity(places.state)).signer,
    network: loadNetwork(config.tls.ca, config.proxy),
    clock: systemClock,
  };
  const ask = { ...deps, releaseKeys: RELEASE_KEYS, pinned: () => pinned };
  return { deps, offered: await askReleases(ask, config.updates, signal) };
}

export async function check(options: UpdateOptions): Promise<void> {
  const installation = readInstallation(options);
  const { facts } = installation;
  const { offered } = await askFor(installation, new AbortController().signal);
  const newest = newestOf(offered.releases, facts)?.manifest.version ?? null;
  const rows = offered.releases.map(({ manifest, statement }) => {
    const { version, channel, ring, notBefore } = manifest;
    return [
      version,
      channel,
      `${ring}/${statement.ring}`,
      notBefore,
      say(version, facts, whyNotOffered({ manifest, statement }, facts)),
    ];
  });
  const releases = rows.map(([version, channel, rings, notBefore, why]) => ({
    version,
    channel,
    rings,
    notBefore,
    why,
  }));
  print(options, { installed: facts.installed, newest, mode: facts.mode, releases, refused: offered.refused }, [
    `Installed     ${facts.installed}, channel ${facts.channel}, ring ${facts.ring}, updates: ${facts.mode}`,
    newest === null
      ? "Newest        nothing newer for this agent"
      : `Newest        ${newest}: \`sallyport update apply\``,
    ...(rows.length === 0
      ? []
      : table([["VERSION", "CHANNEL", "RINGS", "NOT BEFORE", ""], ...rows.map((row) => row.map(String))])),
    ...offered.refused.map((why) => `Not believed  ${why}`),
  ]);
}

function say(version: string, { installed, pinned }: Facts, why: Reason | undefined): string {
  if (version === installed) return "runs";
  if (why !== undefined) return REASONS[why];
  return pinned !== undefined && pinned !== version ? REASONS.pinned : "";
}
