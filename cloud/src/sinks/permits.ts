/** A few may do something at a time; others wait their turn, but not for ever. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** Gives a permit; it is given back by the function it answers, once. @throws sink.busy after `waitMs` */
export type Acquire = () => Promise<() => void>;

/** At most `most` permits at a time, in the order of asking. */
export function createPermits(most: number, waitMs: number): Acquire {
  let free = most;
  const waiting = new Set<() => void>();
  const giveBack = () => {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else next();
  };
  const turn = () =>
    new Promise<void>((resolve, reject) => {
      const go = () => {
        waiting.delete(go);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(go);
        reject(new SallyportError("sink.busy", "Other pulls write Parquet in this instance.", { writers: most }));
      }, waitMs);
      waiting.add(go);
    });
  return async () => {
    if (free > 0) free -= 1;
    else await turn();
    let given = false;
    return () => {
      if (!given) giveBack();
      given = true;
    };
  };
}
