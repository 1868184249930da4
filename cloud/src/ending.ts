/**
 * The end of this process. Azure's host signals nothing to a Node worker: it sends `WorkerTerminate`, upon which the worker runs the hooks
 * `appTerminate` and exits; after 5 s it is killed (azure-functions-host, GrpcWorkerChannel; azure-functions-nodejs-worker, terminateWorker).
 */

/** How long invocations are waited for. What comes last takes a second at most (telemetry), and both have to fit into the host's 5 s. */
const IDLE_MS = 3_000;

export interface Ending {
  /** Aborted when the process is about to stop: runs are handed over, waiting callers get their answer. */
  readonly stopping: AbortSignal;
  /** An invocation begins; `over` is called when it has ended, however. */
  began(): void;
  over(): void;
  /** `act` comes after the invocations, side by side with others like it. */
  atLast(act: () => Promise<void>): void;
  /** Tells everybody, waits until no invocation runs, but not for ever, and does what comes last. Never rejects; a second call waits for the first. */
  end(): Promise<void>;
}

export function createEnding(idleMs: number = IDLE_MS): Ending {
  const stop = new AbortController();
  const last: (() => Promise<void>)[] = [];
  const idle = Promise.withResolvers<void>();
  let running = 0;
  let ended: Promise<void> | undefined;

  const end = async () => {
    stop.abort();
    const timer = setTimeout(idle.resolve, idleMs);
    if (running === 0) idle.resolve();
    await idle.promise;
    clearTimeout(timer);
    await Promise.allSettled(last.map(async (act) => act()));
  };
  return {
    stopping: stop.signal,
    began: () => {
      running += 1;
    },
    over: () => {
      running -= 1;
      if (running === 0 && stop.signal.aborted) idle.resolve();
    },
    atLast: (act) => void last.push(act),
    end: () => {
      ended ??= end();
      return ended;
    },
  };
}
