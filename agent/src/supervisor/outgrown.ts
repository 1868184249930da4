/**
 * Runs of which a session was killed for its memory. The kill takes the word with it: the orchestrator sees a session that
 * broke off, and asks again. The next session of the same run is then told why, before it reads anything.
 */
export interface Outgrown {
  add(run: string): void;
  has(run: string): boolean;
}

/** A restart, with more memory for executors, forgets them. */
const REMEMBERED = 1000;

export function createOutgrown(): Outgrown {
  const runs = new Set<string>();
  return {
    add(run) {
      runs.add(run);
      const oldest = runs.values().next();
      if (runs.size > REMEMBERED && !oldest.done) runs.delete(oldest.value);
    },
    has: (run) => runs.has(run),
  };
}
