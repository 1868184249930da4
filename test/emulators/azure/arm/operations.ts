/** Long-running operations: begun, looked at some times while they run, then done. No clock: each look is a step. */

export interface Operations {
  /** Answers the id. */
  begin(id: string): string;
  /** Undefined for an id that is not known. */
  look(id: string): "InProgress" | "Succeeded" | undefined;
}

/** @param pendingLooks how many looks find it still running */
export function operations(pendingLooks: number): Operations {
  const left = new Map<string, number>();
  return {
    begin(id) {
      left.set(id, pendingLooks);
      return id;
    },
    look(id) {
      const looks = left.get(id);
      if (looks === undefined) return undefined;
      left.set(id, Math.max(0, looks - 1));
      return looks > 0 ? "InProgress" : "Succeeded";
    },
  };
}
