/** What was started is ended in the opposite order, whatever fails on the way, and whenever the end comes. */

type End = () => Promise<unknown> | unknown;

export interface Cleanup {
  /** Aborted when the end begins: what is still starting gives up. */
  readonly signal: AbortSignal;
  /** Remembers how to end what was just started, and gives it back. */
  add<T>(started: T, end: (started: T) => Promise<unknown> | unknown): T;
  /** The same for what is still starting: the end waits until it stands or has failed. */
  starting<T>(start: Promise<T>, end: (started: T) => Promise<unknown> | unknown): Promise<T>;
  /** Ends everything, newest first, also what comes meanwhile; later calls wait for the first. */
  run(): Promise<void>;
}

export function createCleanup(): Cleanup {
  const ends: End[] = [];
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  const endAll = async () => {
    stop.abort(new Error("stopping"));
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
      try {
        await end();
      } catch (thrown) {
        console.error(`while stopping: ${String(thrown)}`);
      }
    }
  };
  const remember = (end: End) => {
    ends.push(end);
    // It comes after the end: the end is repeated for it.
    if (running !== undefined) running = running.then(endAll);
  };
  return {
    signal: stop.signal,
    add: (started, end) => {
      remember(() => end(started));
      return started;
    },
    starting: (start, end) => {
      const started = start.then(
        (it) => () => end(it),
        () => () => undefined,
      );
      remember(async () => (await started)());
      return start;
    },
    run: () => {
      running ??= endAll();
      return running;
    },
  };
}
