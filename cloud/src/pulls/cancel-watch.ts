/**
 * Looking for a cancel while a session runs, more often than the lease is renewed: whoever cancels wants a customer's
 * system to be left alone now. It costs two reads of one row a second for each session.
 */
import type { PullDeps } from "./deps.ts";
import type { Claimed, Hold } from "./hold.ts";

/** Looks every `settings.cancelSeconds` until the answer is called; what it finds aborts the hold's signal. */
export function watchForCancel(deps: PullDeps, { key, id }: Claimed, held: Hold): () => void {
  const { clock, settings, log } = deps;
  let over = false;
  let takeBack = () => {};
  const look = async () => {
    try {
      if (await held.isCancelled()) {
        log("cancel noticed", { ...key, run: id });
        return;
      }
    } catch {
      // The next look, the next slice or the renewal finds it; whether Tables answer at all is the renewal's to judge.
    }
    if (!over) lookLater();
  };
  const lookLater = () => {
    takeBack = clock.after(settings.cancelSeconds * 1000, () => void look());
  };
  lookLater();
  return () => {
    over = true;
    takeBack();
  };
}
