/** The owner's policy as it is now: read again when its file changes; a broken file never replaces a good one. */
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import type { Logger } from "pino";
import { digestPolicy, openPolicy } from "../policy/file.ts";

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

/** @throws policy.invalid when the first one cannot be read; a later one that is not valid leaves the former in force. */
export function createPolicySource(path: string, log: Logger, watch: PolicyWatch): PolicySource {
  let seen = stampOf(path);
  let snapshot = readPolicy(path, log);
  let problem: string | null = null;
  const source: PolicySource = {
    current() {
      const stamp = stampOf(path);
      if (stamp === seen) return snapshot;
      seen = stamp;
      try {
        const untrusted = watch.untrusted();
        if (untrusted !== undefined) throw new Error(untrusted);
        const next = readPolicy(path, log);
        const isNew = next.digest !== snapshot.digest;
        problem = null;
        snapshot = next;
        if (isNew) watch.changed(next);
      } catch (error) {
        problem = (error as Error).message;
        log.error({ why: problem }, "the policy has changed and is not taken: the last one stays in force");
        watch.refused(problem);
      }
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

function readPolicy(path: string, log: Logger): PolicySnapshot {
  const text = readFileSync(path, "utf8");
  const { policy, value } = openPolicy(text, new Date());
  const authorities: Record<string, string> = {};
  for (const [name, { tls }] of Object.entries(policy.connections)) {
    if (tls.ca === undefined) continue;
    const file = isAbsolute(tls.ca) ? tls.ca : join(dirname(path), tls.ca);
    try {
      authorities[name] = readFileSync(file, "utf8");
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
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    return "missing";
  }
}
