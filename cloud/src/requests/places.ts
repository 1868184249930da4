/** How many sessions of requests one process has at once. Who finds no place waits in the queue, and not in memory. */

/**
 * A session may hold a batch that has nearly come (17 MiB), the same decompressed, and a result: sixteen of them leave an
 * instance of 2 GiB room for the pulls that its queue works on beside them.
 */
const MOST_IN_CALLS = 16;
/** Half of them: one tenant alone keeps nobody else out. */
const MOST_IN_CALLS_OF_A_TENANT = 8;
/** Half of the messages that an instance takes at once (host.json): the others are for pulls. */
const MOST_IN_QUEUE = 4;
const MOST_IN_QUEUE_OF_A_TENANT = 2;

export interface Places {
  /** A place for one session, until the answer is called; undefined when there is none. */
  take(tenant: string): (() => void) | undefined;
}

export interface RequestPlaces {
  /** In the calls that ask. */
  readonly calls: Places;
  /** In answers to doorbells. */
  readonly queue: Places;
}

export const requestPlaces = (): RequestPlaces => ({
  calls: places(MOST_IN_CALLS, MOST_IN_CALLS_OF_A_TENANT),
  queue: places(MOST_IN_QUEUE, MOST_IN_QUEUE_OF_A_TENANT),
});

export function places(most: number, mostOfATenant: number): Places {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(tenant) {
      const own = taken.get(tenant) ?? 0;
      if (all >= most || own >= mostOfATenant) return undefined;
      all += 1;
      taken.set(tenant, own + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        all -= 1;
        const left = taken.get(tenant)! - 1;
        if (left > 0) taken.set(tenant, left);
        else taken.delete(tenant);
      };
    },
  };
}
