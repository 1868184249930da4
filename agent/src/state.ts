/**
 * The agent's files: `agent.yaml policy.yaml keys/ pinned.json journal/ control/ run/ usage.json mask.key`, nothing
 * else; an installation's two YAML files lie in a folder of the owner's (install/layout.ts). Folders are 0700, files
 * 0600, until install/rights.ts gives them to a service; each write is to a new file beside it, synced and renamed, so that a
 * reader sees the old or the new content and never half of one. A file of a newer version, from before an update was taken back, may hold
 * fields more: they are passed over.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parseJson } from "@sallyport/shared/json.ts";
import { agentSettings } from "@sallyport/shared/schema/api.ts";
import { nameId, randomId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { configurationOf } from "./config.ts";
import { readBounded } from "./regular-file.ts";

/** Paths below one state folder; of an installation, what the owner writes has a folder of its own. */
export interface StatePaths {
  readonly root: string;
  /** Where agent.yaml and policy.yaml lie, and what they name by relative paths. */
  readonly configuration: string;
  readonly config: string;
  readonly policy: string;
  readonly keys: string;
  readonly identity: string;
  readonly unseal: string;
  /** The identity that this agent goes over to, until the orchestrator has confirmed it. */
  readonly nextIdentity: string;
  /** The same two of an enrolment that is not answered yet: an agent that works keeps its own until then. */
  readonly newIdentity: string;
  readonly newUnseal: string;
  /** The exact bytes of an enrolment whose answer has not come yet. */
  readonly enrolment: string;
  readonly pinned: string;
  readonly journal: string;
  readonly control: string;
  /** When the owner asked for a new identity. */
  readonly rotate: string;
  readonly run: string;
  readonly status: string;
  /** What the running agent has locked: an empty file. */
  readonly hold: string;
  readonly usage: string;
  /** The key of the mask `hash`; made when a policy first needs it. */
  readonly maskKey: string;
}

export function statePaths(root: string): StatePaths {
  const keys = join(root, "keys");
  const run = join(root, "run");
  const configuration = configurationOf(root);
  return {
    root,
    configuration,
    config: join(configuration, "agent.yaml"),
    policy: join(configuration, "policy.yaml"),
    keys,
    identity: join(keys, "identity.jwk"),
    unseal: join(keys, "unseal.jwk"),
    nextIdentity: join(keys, "next-identity.jwk"),
    newIdentity: join(keys, "new-identity.jwk"),
    newUnseal: join(keys, "new-unseal.jwk"),
    enrolment: join(keys, "enrolment.json"),
    pinned: join(root, "pinned.json"),
    journal: join(root, "journal"),
    control: join(root, "control"),
    rotate: join(root, "control", "rotate"),
    run,
    status: join(run, "status.json"),
    hold: join(run, "agent.lock"),
    usage: join(root, "usage.json"),
    maskKey: join(root, "mask.key"),
  };
}

/** What enrolment pinned. `keys` are the orchestrator's public keys; nothing unpinned is ever believed. */
const pinned = z.object({
  v: z.literal(1),
  agent: randomId,
  tenant: nameId,
  tenantName: z.string(),
  site: nameId,
  siteName: z.string(),
  origin: z.url(),
  /** The relay's host, with its port where that is not 443; with the agent's path all that a listen URL may be. */
  relayHost: z.string(),
  /** The agent's hybrid connection as it was told; null until a pending agent is approved. */
  listenUrl: z.url().nullable(),
  /** The highest key statement seen; a lower one is refused. */
  keysSeq: z.int().min(0),
  keys: z.array(z.record(z.string(), z.unknown())).min(1).max(8),
  settings: agentSettings,
});
export type Pinned = z.infer<typeof pinned>;

/** Makes the folders that are missing. */
export function makeFolders(paths: StatePaths): void {
  for (const folder of [paths.configuration, paths.root, paths.keys, paths.journal, paths.control, paths.run]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
}

/** Replaces a file atomically; the content is on the disk when this returns. */
export function writeFileDurably(path: string, content: string, mode = 0o600): void {
  const beside = `${path}.new`;
  rmSync(beside, { force: true });
  const file = openSync(beside, "wx", mode);
  try {
    writeAll(file, Buffer.from(content));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  move(beside, path, HELD_FOR_MS);
  syncFolder(dirname(path));
}

/** What Windows answers for a moment, while a reader or a virus scanner has the file open, or one in the folder. */
const HELD = ["EPERM", "EACCES", "EBUSY"];
const HELD_FOR_MS = 1_000;
const AGAIN_AFTER_MS = 25;

/** Renames; on Windows again and again where somebody has it open, up to `withinMs`, and nothing else happens meanwhile. */
export function move(
  from: string,
  to: string,
  withinMs: number,
  system = { isWindows: process.platform === "win32", rename: renameSync, wait },
): void {
  for (let waitedMs = 0; ; waitedMs += AGAIN_AFTER_MS) {
    try {
      system.rename(from, to);
      return;
    } catch (error) {
      const isHeld = HELD.includes((error as NodeJS.ErrnoException).code ?? "");
      if (!system.isWindows || !isHeld || waitedMs >= withinMs) throw error;
    }
    system.wait(AGAIN_AFTER_MS);
  }
}

function wait(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A write may be a short one, and says so by its count alone: the next then names the full disk. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}

/** Makes a rename or a new file in `folder` survive a power cut; Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The file's text, or undefined where there is none. A pipe in its place is not waited for. */
export function readTextIfAny(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is no regular file`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

const MAX_PINNED_BYTES = 256 * 1024;

/** Whom the agent was enrolled with; undefined where it was not. @throws Error */
export function readPinned(paths: StatePaths): Pinned | undefined {
  // Root's updater reads it too, so no link of the agent's is followed, and nothing of what is no such file is repeated.
  const bytes = readBounded(paths.pinned, MAX_PINNED_BYTES);
  return bytes === undefined ? undefined : pinned.parse(parseJson(bytes));
}

export function writePinned(paths: StatePaths, value: Pinned): void {
  writeFileDurably(paths.pinned, `${JSON.stringify(pinned.parse(value), null, 2)}\n`);
}
