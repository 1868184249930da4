/** What the supervisor counts: sessions at a time, sessions a minute, bytes a day; failed logins: `login-breaker.ts`. */

import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createDailyRows, type RowPlace, type Writing } from "./daily-rows.ts";
import { createDayTurn } from "./day.ts";
import type { LoginBreaker, LoginLimits, TriedAt } from "./login-breaker.ts";

/** Why a session is turned down before its rendezvous. */
export type Refusal = Extract<ErrorCode, "agent.busy" | "agent.locked" | "agent.draining" | "agent.journal_unwritable">;

const MINUTE_MS = 60_000;
/** Pings come through locks and drains, and each costs a process: a budget of their own, far above any canary's. */
const PINGS_PER_MINUTE = 6;
const PINGS_AT_ONCE = 2;

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
  const pinged: number[] = [];
  const inLastMinute = (times: number[]): number => {
    const nowMs = limits.monotonicMs();
    while (times[0] !== undefined && nowMs - times[0] >= MINUTE_MS) times.shift();
    return times.length;
  };
  const refusal = (ping: boolean): Refusal | undefined => {
    if (!limits.journalWritable()) return "agent.journal_unwritable";
    if (ping) return pings >= PINGS_AT_ONCE || inLastMinute(pinged) >= PINGS_PER_MINUTE ? "agent.busy" : undefined;
    if (limits.draining()) return "agent.draining";
    if (limits.locked()) return "agent.locked";
    const isFull = running >= limits.maxSessions || inLastMinute(begun) >= limits.sessionsPerMinute();
    return isFull ? "agent.busy" : undefined;
  };
  return {
    get running() {
      return running + pings;
    },
    admit(ping) {
      const code = refusal(ping);
      if (code !== undefined) return { ok: false, code };
      if (ping) pings += 1;
      else running += 1;
      (ping ? pinged : begun).push(limits.monotonicMs());
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
  /** Where it leads (`serverOf`). */
  readonly server: string;
  readonly sessions: number;
  readonly bytesPerDay: number;
  readonly failedLogins: LoginLimits;
}

/** One session's place in a connection. Each act counts once. */
export interface Place {
  /** What the session may send at most: so much of the day is reserved for it. */
  readonly bytes: number;
  /** The same for the rows of a write; undefined for anything else. */
  readonly rows?: number | undefined;
  /** Counts a login that only became known now, as `begin` counts one that is known; one before it has failed. @throws limit.logins */
  countLogin(login: string): void;
  /** The system took the login: this attempt, and the failed ones before it, are forgotten. */
  loginAccepted(): void;
  /** No login was sent: the attempt is taken back. */
  loginUnsent(): void;
  /** Charges what was sent and what came in; where nobody said how much, all that was reserved. */
  release(sentBytes: number | undefined, rowsIn?: number): void;
}

/** What was reserved for a session. */
export const roomOf = (place: Place | undefined): { bytes?: number; rows?: number } => ({
  ...(place === undefined ? {} : { bytes: place.bytes }),
  ...(place?.rows === undefined ? {} : { rows: place.rows }),
});

export interface ConnectionBudgets {
  /**
   * Takes a place in a connection, and counts its login as failed, on the disk, until somebody says otherwise: whoever
   * cuts a session short, or runs many at once, gets no further tries by that.
   * @param bytes what the session may send by its own limits
   * @throws limit.sessions, limit.bytes, limit.rows, limit.logins.
   */
  begin(
    connection: string,
    login: string | undefined,
    limits: ConnectionLimits,
    bytes: number,
    writing?: Writing,
  ): Place;
}

/**
 * @param sentToday bytes by connection since midnight UTC, recomputed from the journal at start
 * @param writtenToday rows by connection and rule (`rowsKey`), in the same way
 */
export function createConnectionBudgets(
  breaker: LoginBreaker,
  sentToday: ReadonlyMap<string, number>,
  nowMs: () => number,
  writtenToday: ReadonlyMap<string, number> = new Map(),
): ConnectionBudgets {
  const dailyRows = createDailyRows(writtenToday, nowMs);
  const sessions = new Map<string, number>();
  const sent = new Map(sentToday);
  const reserved = new Map<string, number>();
  const add = (map: Map<string, number>, connection: string, more: number): void => {
    map.set(connection, (map.get(connection) ?? 0) + more);
  };
  const isNewDay = createDayTurn(nowMs);
  const rollDay = (): void => {
    if (isNewDay()) sent.clear();
  };
  // Without a try there is no write, so what was reserved for it goes back.
  const attemptOf = (at: TriedAt, login: string | undefined, of: LoginLimits, rows: RowPlace | undefined) => {
    try {
      return login === undefined ? undefined : breaker.attempt(at, login, of);
    } catch (error) {
      rows?.release(0);
      throw error;
    }
  };
  return {
    begin(connection, login, limits, wantedBytes, writing) {
      rollDay();
      const running = sessions.get(connection) ?? 0;
      if (running >= limits.sessions) {
        throw new SallyportError("limit.sessions", `${connection} already serves its ${limits.sessions} sessions.`);
      }
      const leftBytes = limits.bytesPerDay - (sent.get(connection) ?? 0);
      if (leftBytes <= 0) {
        throw new SallyportError("limit.bytes", `${connection} has sent what its policy allows in a day.`, {
          limit: "bytesPerDay",
        });
      }
      const bytes = Math.min(wantedBytes, leftBytes - (reserved.get(connection) ?? 0));
      if (bytes <= 0) {
        // They will hardly send all of it: that is worth another try.
        throw new SallyportError("limit.sessions", `Other sessions of ${connection} hold what is left of the day.`);
      }
      const rowPlace: RowPlace | undefined = writing && dailyRows.reserve(connection, writing);
      const at = { connection, server: limits.server };
      let attempt = attemptOf(at, login, limits.failedLogins, rowPlace);
      add(sessions, connection, 1);
      add(reserved, connection, bytes);
      let ended = false;
      return {
        bytes,
        rows: rowPlace?.rows,
        countLogin(sealed) {
          attempt?.("failed");
          attempt = breaker.attempt(at, sealed, limits.failedLogins);
        },
        loginAccepted: () => attempt?.("accepted"),
        loginUnsent: () => attempt?.("unsent"),
        release(sentBytes, rowsIn) {
          if (ended) return;
          ended = true;
          rowPlace?.release(rowsIn);
          attempt?.("failed");
          rollDay();
          add(sessions, connection, -1);
          add(reserved, connection, -bytes);
          add(sent, connection, sentBytes ?? bytes);
        },
      };
    },
  };
}
