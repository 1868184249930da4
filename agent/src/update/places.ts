/**
 * Where updates happen. Two folders that must not be mixed up: `staged`, which the agent's account writes and nobody believes, and
 * `own`, which only administrators can write: the owner's commands, the updater's record, and the copies that are verified.
 */
import { join } from "node:path";
import type { Layout } from "../install/layout.ts";
import { type StatePaths, statePaths } from "../state.ts";

export interface UpdatePlaces {
  readonly versions: string;
  readonly current: string;
  /** A link as `current`, to the version whose updater is started: one that was healthy here. */
  readonly updater: string;
  readonly own: string;
  /** The updater's memory: every step that it took, on the disk before the next. */
  readonly record: string;
  /** The owner's command that waits for the updater, and the version that they hold. */
  readonly wish: string;
  readonly pin: string;
  /** What was copied out of `staged`. */
  readonly incoming: string;
  /** Room that is given up when the disk is full, so that the way back can be written. */
  readonly reserve: string;
  readonly staged: string;
  readonly stagedManifest: string;
  readonly stagedSignature: string;
  readonly stagedStatement: string;
  /** Written when something may be applied by itself; a unit waits for it. */
  readonly ready: string;
  readonly config: string;
  readonly policy: string;
  readonly state: StatePaths;
}

export function updatePlaces(
  layout: Pick<Layout, "program" | "versions" | "current" | "configuration" | "state">,
): UpdatePlaces {
  const own = join(layout.program, "update");
  const staged = join(layout.state, "update");
  return {
    versions: layout.versions,
    current: layout.current,
    updater: join(layout.program, "updater"),
    own,
    record: join(own, "record.json"),
    wish: join(own, "wish.json"),
    pin: join(own, "pin.json"),
    incoming: join(own, "incoming"),
    reserve: join(own, "reserve"),
    staged,
    stagedManifest: join(staged, "manifest.json"),
    stagedSignature: join(staged, "manifest.json.minisig"),
    stagedStatement: join(staged, "statement.jws"),
    ready: join(staged, "ready"),
    config: join(layout.configuration, "agent.yaml"),
    policy: join(layout.configuration, "policy.yaml"),
    state: statePaths(layout.state),
  };
}

/** The archive with this SHA-256, whole or the part of it that has come. */
export const stagedArchive = ({ staged }: UpdatePlaces, sha256: string): string => join(staged, `${sha256}.tar.gz`);
export const stagedPart = ({ staged }: UpdatePlaces, sha256: string): string => join(staged, `${sha256}.part`);

/** A version that is being unpacked: no version begins with a dot. */
export const unpacking = ({ versions }: UpdatePlaces, version: string): string => join(versions, `.new-${version}`);
