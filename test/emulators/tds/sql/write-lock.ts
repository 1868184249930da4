/** SQLite has one writer at a time, and so has the emulator: sessions wait here, in order, not in SQLite. */
import { sqlError } from "../values/errors.ts";

export interface WriteLock {
  /**
   * Waits for the lock. Throws error 1222 after `timeoutMs` (-1 waits for ever), and what the signal was aborted with.
   */
  acquire(timeoutMs: number, signal: AbortSignal): Promise<void>;
  release(): void;
}

export function createWriteLock(): WriteLock {
  let held = false;
  const waiting: (() => void)[] = [];
  return {
    acquire(timeoutMs, signal) {
      if (!held) {
        held = true;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const leave = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", aborted);
          const at = waiting.indexOf(granted);
          if (at >= 0) waiting.splice(at, 1);
        };
        const granted = () => {
          leave();
          resolve();
        };
        const aborted = () => {
          leave();
          reject(signal.reason);
        };
        const late = () => {
          leave();
          reject(sqlError(1222));
        };
        const timer = timeoutMs < 0 ? undefined : setTimeout(late, timeoutMs);
        signal.addEventListener("abort", aborted);
        waiting.push(granted);
      });
    },
    release() {
      const next = waiting.shift();
      if (next === undefined) held = false;
      else next();
    },
  };
}
