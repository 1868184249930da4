/** How many sessions of requests one process has at once. Who finds no place waits in the queue, and not in memory. */
import { type Places, places } from "../tenants/places.ts";

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
