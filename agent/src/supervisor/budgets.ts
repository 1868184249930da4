/** What the supervisor counts: sessions at a time, sessions a minute, bytes a day, and failed logins. */

import { randomBytes } from "node:crypto";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";

/** Why a session is turned down before its rendezvous. */
export type Refusal = Extract<ErrorCode, "agent.busy" | "agent.locked" | "agent.draining" | "agent.journal_unwritable">;

const MINUTE_MS = 60_000;

export interface Admission {
  /** Takes a place, or says why not. A ping is let in when locked or draining. `release` gives the place back. */
  admit(
    ping: boolean,
  ): { readonly ok: true; readonly release: () => void } | { readonly ok: false; readonly code: Refusal };
  readonly running: number;
}

export interface AdmissionLimits {
  readonly maxSessions: number;
  readonly sessionsPerMinute: () => number;
  readonly draining: () => boolean;
  readonly locked: () => boolean;
  readonly journalWritable: () => boolean;
  readonly monotonicMs: () => number;
}

export function createAdmission(limits: AdmissionLimits): Admission {
  let running = 0;
  let pings = 0;
  const begun: number[] = [];
  const refusal = (ping: boolean): Refusal | undefined => {
    if (!limits.journalWritable()) return "agent.journal_unwritable";
    if (ping) return pings >= 2 ? "agent.busy" : undefined;
    if (limits.draining()) return "agent.draining";
    if (limits.locked()) return "agent.locked";
    const nowMs = limits.monotonicMs();
    while (begun[0] !== undefined && nowMs - begun[0] >= MINUTE_MS) begun.shift();
    return running >= limits.maxSessions || begun.length >= limits.sessionsPerMinute() ? "agent.busy" : undefined;
  };
  return {
    get running() {
      return running + pings;
    },
    admit(ping) {
      const code = refusal(ping);
      if (code !== undefined) return { ok: false, code };
      if (ping) pings += 1;
      else {
        running += 1;
        begun.push(limits.monotonicMs());
      }
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        if (ping) pings -= 1;
        else running -= 1;
      };
      return { ok: true, release };
    },
  };
}

/** Limits of one connection, as the owner's policy has them. */
export interface ConnectionLimits {
  readonly sessions: number;
  readonly bytesPerDay: number;
  readonly failedLogins: { readonly count: number; readonly perMs: number };
}

/** `usage.json`: failed logins by HMAC, so that neither restart nor file tells who tried. */
export const usage = z.strictObject({
  v: z.literal(1),
  loginKey: sha256Text,
  failedLogins: z.record(sha256Text, z.array(z.int().min(0)).max(100)),
});
export type Usage = z.infer<typeof usage>;

export const newUsage = (): Usage => ({ v: 1, loginKey: toBase64url(randomBytes(32)), failedLogins: {} });

export interface ConnectionBudgets {
  /** Takes a place in a connection. @throws limit.sessions, limit.bytes, limit.logins. */
  begin(connection: string, login: string | undefined, limits: ConnectionLimits): () => void;
  sent(connection: string, bytes: number): void;
  loginFailed(login: string): void;
  loginSucceeded(login: string): void;
}

/**
 * @param sentToday bytes by connection since midnight UTC, recomputed from the journal at start
 * @param store keeps the breaker's state across restarts
 */
export function createConnectionBudgets(
  state: Usage,
  sentToday: ReadonlyMap<string, number>,
  store: (state: Usage) => void,
  nowMs: () => number,
): ConnectionBudgets {
  const sessions = new Map<string, number>();
  const sent = new Map(sentToday);
  let day = dayOf(nowMs());
  const rollDay = (): void => {
    if (dayOf(nowMs()) === day) return;
    day = dayOf(nowMs());
    sent.clear();
  };
  return {
    begin(connection, login, limits) {
      rollDay();
      const running = sessions.get(connection) ?? 0;
      if (running >= limits.sessions) {
        throw new SallyportError("limit.sessions", `${connection} already serves its ${limits.sessions} sessions.`);
      }
      if ((sent.get(connection) ?? 0) >= limits.bytesPerDay) {
        throw new SallyportError("limit.bytes", `${connection} has sent what its policy allows in a day.`, {
          limit: "bytesPerDay",
        });
      }
      const failed = (login === undefined ? [] : (state.failedLogins[login] ?? [])).filter(
        (atMs) => nowMs() - atMs < limits.failedLogins.perMs,
      );
      if (failed.length >= limits.failedLogins.count) {
        throw new SallyportError(
          "limit.logins",
          `Too many failed logins at ${connection}: it is not tried again for now.`,
        );
      }
      sessions.set(connection, running + 1);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        sessions.set(connection, (sessions.get(connection) ?? 1) - 1);
      };
    },
    sent(connection, bytes) {
      rollDay();
      sent.set(connection, (sent.get(connection) ?? 0) + bytes);
    },
    loginFailed(login) {
      const before = state.failedLogins[login] ?? [];
      state.failedLogins[login] = [...before, nowMs()].slice(-100);
      forgetOldest(state);
      store(state);
    },
    loginSucceeded(login) {
      if (state.failedLogins[login] === undefined) return;
      delete state.failedLogins[login];
      store(state);
    },
  };
}

const dayOf = (ms: number): number => Math.floor(ms / 86_400_000);

/** Whoever invents logins must not grow the file for ever. */
function forgetOldest(state: Usage): void {
  const entries = Object.entries(state.failedLogins);
  if (entries.length <= 1000) return;
  const oldest = entries.reduce((a, b) => ((a[1].at(-1) ?? 0) <= (b[1].at(-1) ?? 0) ? a : b));
  delete state.failedLogins[oldest[0]];
}
