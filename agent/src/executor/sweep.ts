/**
 * Rows leave as buffers outside V8's heap, which it looks at late: of a long result hundreds of dead ones stand in memory
 * until then. A collection of the young ones after every few batches keeps a result of any length in the same room.
 */
const EVERY_BYTES = 32 * 2 ** 20;

/** Told of each message that has been sent. Without `--expose-gc` it does nothing. */
export function createSweep(): (bytes: number) => void {
  const { gc } = globalThis;
  let left = EVERY_BYTES;
  return (bytes) => {
    left -= bytes;
    if (left > 0) return;
    left = EVERY_BYTES;
    gc?.({ type: "minor", execution: "sync" });
  };
}
