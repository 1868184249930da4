/** Midnight UTC, for what is counted by days, on clocks that are also set. */
const DAY_MS = 86_400_000;

/**
 * Answers what is true once for each new day. A clock that is set back begins none: a midnight that comes twice forgets what was
 * counted once. One that was far ahead comes back to its day, so that the next one begins.
 */
export function createDayTurn(nowMs: () => number): () => boolean {
  const dayNow = (): number => Math.floor(nowMs() / DAY_MS);
  let day = dayNow();
  return () => {
    const today = dayNow();
    const isNew = today > day;
    if (isNew || today < day - 1) day = today;
    return isNew;
  };
}
