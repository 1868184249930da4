/** The owner's word on updates, as the updater and the agent read it: two files, and the two commands that only administrators give. */
import { type AgentConfig, loadConfig } from "../config.ts";
import { parsePolicy } from "../policy/file.ts";
import { readTextIfAny } from "../state.ts";
import type { Facts } from "./decide.ts";
import type { UpdatePlaces } from "./places.ts";
import type { Platform } from "./platform.ts";
import { readPin, readRecord } from "./record.ts";

/**
 * What `decide` has to know; all but the mode is from files whose folder only administrators write.
 * @throws Error where no version is installed
 */
export function factsOf(
  places: UpdatePlaces,
  { name, versionOf }: Pick<Platform, "name" | "versionOf">,
  config: AgentConfig,
  mode: Facts["mode"],
  now: Date,
): Facts {
  const installed = versionOf(places.current);
  if (installed === undefined) throw new Error(`${places.current} names no version`);
  return {
    installed,
    platform: name,
    origin: config.origin,
    channel: config.updates.channel,
    ring: config.updates.ring,
    mode,
    hours: config.updates.hours,
    pinned: readPin(places),
    failed: readRecord(places).failed,
    now,
  };
}

/**
 * For the updater, which runs as an administrator: files that another account could have written are nobody's word.
 * @throws ConfigError for an agent.yaml that is not valid
 */
export function readOwnersWord(
  places: UpdatePlaces,
  { isOwners }: Pick<Platform, "isOwners">,
  now: Date,
): { config: AgentConfig; mode: Facts["mode"] } {
  const config = loadConfig(places.config);
  if (!isOwners(places.config) || !isOwners(places.policy)) return { config, mode: "notify" };
  return { config, mode: parsePolicy(readTextIfAny(places.policy) ?? "", now).updates };
}
