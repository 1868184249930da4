/** The breaker of failed logins: an orchestrator that tries passwords is stopped before it locks the owner's account. */
import { createHmac, randomBytes } from "node:crypto";
import { fromBase64url, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
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
  /** The same failures by account and server, where one was noted: a login that a server takes forgets no other server's. */
  failedThere: z.record(sha256Text, z.array(z.int().min(0)).max(MAX_ATTEMPTS)).optional(),
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
 * What came of an attempt. `accepted`: the system took the login; this attempt and the failed ones before it at the same
 * server are forgotten. `unsent`: no login left this machine, so nothing was tried. `failed` is what already stands on the disk.
 */
export type Fate = "accepted" | "unsent" | "failed";

/** What is signed in to. */
export interface TriedAt {
  readonly connection: string;
  readonly server: string;
}

export interface LoginBreaker {
  /**
   * Counts an attempt as failed, on the disk, before it is made: a session that is cut short, and many at once, are no
   * further tries. The function that is answered says what came of it; only its first call counts.
   * @throws limit.logins; limit.sessions while running sessions decide whether there is a try left
   */
  attempt(at: TriedAt, login: string, limits: LoginLimits): (fate: Fate) => void;
}

/** @param store keeps the state across restarts; what it throws, `attempt` throws. */
export function createLoginBreaker(state: Usage, store: (state: Usage) => void, nowMs: () => number): LoginBreaker {
  /** Attempts of running sessions that are not decided yet, by login. */
  const undecided = new Map<string, readonly Undecided[]>();
  const keepUndecided = (login: string, items: readonly Undecided[]): void => {
    if (items.length === 0) undecided.delete(login);
    else undecided.set(login, items);
  };
  const byPlace = (): Failures => (state.failedThere ??= {});
  const keepFailed = (login: string, items: readonly number[], place: string, there: readonly number[]): void => {
    keep(state.failedLogins, login, items);
    keep(byPlace(), place, there);
    store(state);
  };
  return {
    attempt({ connection, server }, login, limits) {
      const attemptMs = nowMs();
      // One of the far future is of a clock that was wrong; a step back of less gives no further tries.
      const isCounted = (atMs: number): boolean => Math.abs(attemptMs - atMs) < limits.perMs;
      const counted = state.failedLogins[login] ?? [];
      const open = undecided.get(login) ?? [];
      const left = limits.count - counted.filter(isCounted).length;
      if (left + open.filter(({ atMs }) => isCounted(atMs)).length <= 0) {
        throw new SallyportError(
          "limit.logins",
          `Too many failed logins at ${connection}: it is not tried again for now.`,
        );
      }
      if (left <= 0) throw new SallyportError("limit.sessions", `Other logins at ${connection} are being tried.`);
      const place = placeOf(state, server, login);
      const mine: Undecided = { atMs: attemptMs, place };
      forgetOldest(state.failedLogins);
      forgetOldest(byPlace());
      keepFailed(login, [...counted, attemptMs], place, [...(byPlace()[place] ?? []), attemptMs]);
      keepUndecided(login, [...open, mine]);
      let decided = false;
      return (fate) => {
        if (decided) return;
        decided = true;
        const others = (undecided.get(login) ?? []).filter((each) => each !== mine);
        keepUndecided(login, others);
        if (fate === "failed") return;
        const there = byPlace()[place] ?? [];
        // A login that was taken says nothing of what other sessions are trying just now, nor of another server.
        const openThere = others.filter((each) => each.place === place).map(({ atMs }) => atMs);
        const forgotten = fate === "unsent" ? [attemptMs] : without(there, openThere);
        keepFailed(login, without(state.failedLogins[login] ?? [], forgotten), place, without(there, forgotten));
      };
    },
  };
}

type Failures = Usage["failedLogins"];

interface Undecided {
  readonly atMs: number;
  /** Account and server, as the state has them. */
  readonly place: string;
}

/** HMAC of an account at a server: the file tells neither. */
function placeOf({ loginKey }: Usage, server: string, login: string): string {
  const key = fromBase64url(loginKey) ?? Buffer.alloc(0);
  return createHmac("sha256", key).update(`${login}\0${server}`).digest("base64url");
}

function keep(failures: Failures, name: string, items: readonly number[]): void {
  if (items.length === 0) delete failures[name];
  else failures[name] = items.slice(-MAX_ATTEMPTS);
}

/** Without each of `taken` once. */
function without(items: readonly number[], taken: readonly number[]): readonly number[] {
  return taken.reduce((left, item) => {
    const at = left.indexOf(item);
    return at === -1 ? left : left.toSpliced(at, 1);
  }, items);
}

function forgetOldest(failures: Failures): void {
  const entries = Object.entries(failures);
  if (entries.length < MAX_LOGINS) return;
  const oldest = entries.reduce((a, b) => ((a[1].at(-1) ?? 0) <= (b[1].at(-1) ?? 0) ? a : b));
  delete failures[oldest[0]];
}
