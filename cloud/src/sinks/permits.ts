/** A few may do something at a time; others wait their turn, but not for ever. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** Gives a permit; it is given back by the function it answers, once. @throws sink.busy after `waitMs`, request.cancelled when aborted */
export type Acquire = (signal: AbortSignal) => Promise<() => void>;

/** At most `most` permits at a time, in the order of asking. */
export function createPermits(most: number, waitMs: number): Acquire {
  let free = most;
  const waiting = new Set<() => void>();
  const giveBack = () => {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else next();
  };
  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const over = () => {
        waiting.delete(go);
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      };
      const go = () => {
        over();
        resolve();
      };
      const onAbort = () => {
        over();
        reject(new SallyportError("request.cancelled", "It was ended while it waited for its turn."));
      };
      const timer = setTimeout(() => {
        over();
        reject(new SallyportError("sink.busy", "Other pulls write Parquet in this instance.", { writers: most }));
      }, waitMs);
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(go);
      if (signal.aborted) onAbort();
    });
  return async (signal) => {
    if (free > 0) free -= 1;
    else await turn(signal);
    let given = false;
    return () => {
      if (!given) giveBack();
      given = true;
    };
  };
}
