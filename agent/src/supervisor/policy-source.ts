/**
 * The owner's policy as it is now: read again when it, or a file that it names, changes; a broken file never replaces a good one, and
 * is looked at again, because what was wrong may not have been in it: rights, a disk, the clock.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import type { Logger } from "pino";
import { type Clock, systemClock } from "../clock.ts";
import { NotNowError } from "../config-error.ts";
import { digestPolicy, openPolicy } from "../policy/file.ts";

/** On Windows each look at rights is a process. */
const AGAIN_AFTER_MS = 30_000;
/** By then every rule of a policy has ended. */
const AFTER_ALL = new Date("9000-01-01");

export interface PolicySnapshot {
  /** What the file holds, as executors are given it. */
  readonly value: unknown;
  readonly digest: string;
  readonly policy: Policy;
  /** PEM of the authorities that connections name, by connection; a file that cannot be read is left out. */
  readonly authorities: Readonly<Record<string, string>>;
}

/** The policy in force, in numbers, and what is wrong with a newer file that is not. */
export interface PolicyState {
  readonly digest: string;
  readonly connections: number;
  readonly rules: number;
  readonly problem: string | null;
}

export interface PolicySource {
  current(): PolicySnapshot;
  state(): PolicyState;
}

export interface PolicyWatch {
  /** Told of each new policy after the first. */
  readonly changed: (next: PolicySnapshot) => void;
  /** Told once of each later file that is not taken. */
  readonly refused: (why: string) => void;
  /** Why a file may not be taken whatever it says: this account could have written it. Asked before it is read again. */
  readonly untrusted: () => string | undefined;
}

/** What a file was like before it was read, by its path. */
type Stamps = Map<string, string>;

/**
 * @throws policy.invalid when the first one cannot be read, NotNowError where it will be valid once the clock is set. A later one that
 * is not valid leaves the former in force.
 */
export function createPolicySource(
  path: string,
  log: Logger,
  watch: PolicyWatch,
  clock: Pick<Clock, "wallMs" | "monotonicMs"> = systemClock,
): PolicySource {
  let stamps: Stamps = new Map();
  const read = (): PolicySnapshot => readPolicy(path, new Date(clock.wallMs()), stamps, log);
  let snapshot = unlessEarly(path, read);
  let problem: string | null = null;
  let againAtMs = 0;

  const isDue = (): boolean => problem !== null && clock.monotonicMs() >= againAtMs;
  const readAgain = (isChanged: boolean): void => {
    stamps = new Map([[path, stampOf(path)]]);
    againAtMs = clock.monotonicMs() + AGAIN_AFTER_MS;
    try {
      const untrusted = watch.untrusted();
      if (untrusted !== undefined) throw new Error(untrusted);
      const next = read();
      const isNew = next.digest !== snapshot.digest;
      problem = null;
      snapshot = next;
      if (isNew) watch.changed(next);
    } catch (error) {
      const why = (error as Error).message;
      const isTold = !isChanged && why === problem;
      problem = why;
      if (isTold) return;
      log.error({ why }, "the policy has changed and is not taken: the last one stays in force");
      watch.refused(why);
    }
  };

  const source: PolicySource = {
    current() {
      const isChanged = [...stamps].some(([file, stamp]) => stampOf(file) !== stamp);
      if (isChanged || isDue()) readAgain(isChanged);
      return snapshot;
    },
    state() {
      const { digest, policy } = source.current();
      const connections = Object.values(policy.connections);
      const rules = connections.reduce((sum, connection) => sum + connection.rules.length, 0);
      return { digest, connections: connections.length, rules, problem };
    },
  };
  return source;
}

/** A clock that starts in the past finds that rules end too late; it is set soon, and nobody has to mend the policy. */
function unlessEarly(path: string, read: () => PolicySnapshot): PolicySnapshot {
  try {
    return read();
  } catch (error) {
    try {
      openPolicy(readFileSync(path, "utf8"), AFTER_ALL);
    } catch {
      throw error;
    }
    throw new NotNowError(`${(error as Error).message}\nIs this machine's clock right?`);
  }
}

/** @param stamps takes the stamp of each file that is read */
function readPolicy(path: string, now: Date, stamps: Stamps, log: Logger): PolicySnapshot {
  const readStamped = (file: string): string => {
    stamps.set(file, stampOf(file));
    return readFileSync(file, "utf8");
  };
  const text = readStamped(path);
  const { policy, value } = openPolicy(text, now);
  const authorities: Record<string, string> = {};
  for (const [name, { tls }] of Object.entries(policy.connections)) {
    if (tls.ca === undefined) continue;
    const file = isAbsolute(tls.ca) ? tls.ca : join(dirname(path), tls.ca);
    try {
      authorities[name] = readStamped(file);
    } catch {
      log.error(
        { connection: name, file },
        "the authorities' file cannot be read: sessions of this connection will fail",
      );
    }
  }
  return { value, digest: digestPolicy(text), policy, authorities };
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return `${mtimeMs}/${ctimeMs}/${size}/${ino}`;
  } catch {
    return "missing";
  }
}
