import type { Clock } from "./clock.ts";

export type Lock = {
  /** A UUID in its usual text form. */
  readonly token: string;
  readonly untilMs: number;
};

/** Who holds what, and until when. */
export type Locks<T> = {
  take(held: T): Lock;
  /** Ends the lock. Undefined when it has expired or never was. */
  release(token: string): T | undefined;
  /** Starts the duration anew. Answers its end, or undefined when it has expired or never was. */
  renew(token: string): number | undefined;
};

type Options<T> = {
  readonly clock: Clock;
  readonly lockMs: number;
  readonly newToken: () => string;
  /** Called when a lock expires. */
  readonly lost: (held: T) => void;
};

export function createLocks<T>({ clock, lockMs, newToken, lost }: Options<T>): Locks<T> {
  const holds = new Map<string, { held: T; cancel: () => void }>();

  const hold = (token: string, held: T): Lock => {
    const untilMs = clock.now() + lockMs;
    const cancel = clock.at(untilMs, () => {
      holds.delete(token);
      lost(held);
    });
    holds.set(token, { held, cancel });
    return { token, untilMs };
  };

  const release = (token: string) => {
    const hold = holds.get(token);
    hold?.cancel();
    holds.delete(token);
    return hold?.held;
  };

  return {
    take: (held) => hold(newToken(), held),
    release,
    renew(token) {
      const held = release(token);
      return held === undefined ? undefined : hold(token, held).untilMs;
    },
  };
}
