/** The breaker of failed logins: an orchestrator that tries passwords is stopped before it locks the owner's account. */
import { randomBytes } from "node:crypto";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";

/** Of one login: no policy counts more. */
const MAX_ATTEMPTS = 1000;
/** Whoever invents logins must not grow the file for ever. */
const MAX_LOGINS = 1000;

/** `usage.json`, what survives a restart: failed logins by HMAC, so that neither restart nor file tells who tried. */
export const usage = z.object({
  v: z.literal(1),
  loginKey: sha256Text,
  failedLogins: z.record(sha256Text, z.array(z.int().min(0)).max(MAX_ATTEMPTS)),
  /** The id of the mask key that the journal named last. */
  maskKey: sha256Text.optional(),
});
export type Usage = z.infer<typeof usage>;

export const newUsage = (): Usage => ({ v: 1, loginKey: toBase64url(randomBytes(32)), failedLogins: {} });

export interface LoginLimits {
  readonly count: number;
  readonly perMs: number;
}

/**
 * What came of an attempt. `accepted`: the system took the login; this attempt and the failed ones before it are
 * forgotten. `unsent`: no login left this machine, so nothing was tried. `failed` is what already stands on the disk.
 */
export type Fate = "accepted" | "unsent" | "failed";

export interface LoginBreaker {
  /**
   * Counts an attempt as failed, on the disk, before it is made: a session that is cut short, and many at once, are no
   * further tries. The function that is answered says what came of it; only its first call counts.
   * @throws limit.logins; limit.sessions while running sessions decide whether there is a try left
   */
  attempt(connection: string, login: string, limits: LoginLimits): (fate: Fate) => void;
}

/** @param store keeps the state across restarts; what it throws, `attempt` throws. */
export function createLoginBreaker(state: Usage, store: (state: Usage) => void, nowMs: () => number): LoginBreaker {
  /** Attempts of running sessions that are not decided yet. */
  const undecided = new Map<string, readonly number[]>();
  const keepUndecided = (login: string, items: readonly number[]): void => {
    if (items.length === 0) undecided.delete(login);
    else undecided.set(login, items);
  };
  const keepFailed = (login: string, items: readonly number[]): void => {
    if (items.length === 0) delete state.failedLogins[login];
    else state.failedLogins[login] = items.slice(-MAX_ATTEMPTS);
    store(state);
  };
  return {
    attempt(connection, login, limits) {
      const attemptMs = nowMs();
      // One of the far future is of a clock that was wrong; a step back of less gives no further tries.
      const isCounted = (atMs: number): boolean => Math.abs(attemptMs - atMs) < limits.perMs;
      const counted = state.failedLogins[login] ?? [];
      const open = undecided.get(login) ?? [];
      const left = limits.count - counted.filter(isCounted).length;
      if (left + open.filter(isCounted).length <= 0) {
        throw new SallyportError(
          "limit.logins",
          `Too many failed logins at ${connection}: it is not tried again for now.`,
        );
      }
      if (left <= 0) throw new SallyportError("limit.sessions", `Other logins at ${connection} are being tried.`);
      forgetOldest(state);
      keepFailed(login, [...counted, attemptMs]);
      keepUndecided(login, [...open, attemptMs]);
      let decided = false;
      return (fate) => {
        if (decided) return;
        decided = true;
        const others = without(undecided.get(login) ?? [], attemptMs);
        keepUndecided(login, others);
        // A login that was taken says nothing of what other sessions are trying just now.
        if (fate === "accepted") keepFailed(login, others);
        if (fate === "unsent") keepFailed(login, without(state.failedLogins[login] ?? [], attemptMs));
      };
    },
  };
}

/** Without one of the items that equal it. */
function without(items: readonly number[], item: number): readonly number[] {
  const at = items.indexOf(item);
  return at === -1 ? items : items.toSpliced(at, 1);
}

function forgetOldest(state: Usage): void {
  const entries = Object.entries(state.failedLogins);
  if (entries.length < MAX_LOGINS) return;
  const oldest = entries.reduce((a, b) => ((a[1].at(-1) ?? 0) <= (b[1].at(-1) ?? 0) ? a : b));
  delete state.failedLogins[oldest[0]];
}
