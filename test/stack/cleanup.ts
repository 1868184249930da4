/** What was started is ended in the opposite order, whatever fails on the way. */

export interface Cleanup {
  /** Remembers how to end what was just started, and gives it back. */
  add<T>(started: T, end: (started: T) => Promise<unknown> | unknown): T;
  /** Ends everything, newest first; later calls wait for the first. */
  run(): Promise<void>;
}

export function createCleanup(): Cleanup {
  const ends: (() => Promise<unknown> | unknown)[] = [];
  let running: Promise<void> | undefined;
  const endAll = async () => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
      try {
        await end();
      } catch (thrown) {
        console.error(`while stopping: ${String(thrown)}`);
      }
    }
  };
  return {
    add: (started, end) => {
      ends.push(() => end(started));
      return started;
    },
    run: () => {
      running ??= endAll();
      return running;
    },
  };
}
