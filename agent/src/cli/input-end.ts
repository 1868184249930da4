/** Being asked to stop where there is no SIGTERM: whoever started this process ends its standard input, or dies. */
import type { Readable } from "node:stream";

/** Acts once the input has ended, in whatever way. Nothing of it is read, so nobody says anything by it. */
export function whenInputEnds(input: Readable, act: () => void): void {
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) act();
    hasEnded = true;
  };
  input.on("error", end).once("end", end).once("close", end).resume();
}
