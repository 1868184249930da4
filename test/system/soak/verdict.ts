/** What a soak has to hold, as a pure function of what was seen: one sentence for each rule that did not hold. */

/** What a process holds, as /proc tells. */
export interface Holding {
  readonly children: number;
  /** Connected TCP sockets of the process itself. */
  readonly sockets: number;
}

export interface PullResult {
  readonly pull: number;
  readonly attempts: number;
  /** The last refusal of one that never got all its rows. */
  readonly failed?: string;
}

export interface Soaked {
  readonly seconds: number;
  readonly pulls: readonly PullResult[];
  /** Attempts to open the control channel. */
  readonly attempts: number;
  /** Before the first fault, and after the last pull once everything has ended. */
  readonly before: Holding;
  readonly after: Holding;
  /** Resident bytes of the supervisor: at the end of minute one, or of the first third of less, and at the end. */
  readonly earlyBytes: number;
  readonly endBytes: number;
  /** Whether the supervisor is still the process that it was. */
  readonly alive: boolean;
  readonly leastPulls: number;
}

/** Attempts a second, on average. */
const MOST_ATTEMPTS = 1;
const MOST_GROWTH = 0.2;

export function soakFaults(seen: Soaked): string[] {
  const { pulls, seconds, attempts, before, after, earlyBytes, endBytes } = seen;
  const growth = endBytes / earlyBytes - 1;
  return [
    ...(seen.alive ? [] : ["the supervisor has ended"]),
    ...(pulls.length >= seen.leastPulls ? [] : [`${pulls.length} pulls, ${seen.leastPulls} were due`]),
    ...pulls.flatMap(({ pull, failed }) => (failed === undefined ? [] : [`pull ${pull} failed for good: ${failed}`])),
    ...(attempts <= MOST_ATTEMPTS * seconds ? [] : [`${attempts} attempts to connect in ${seconds} s`]),
    ...(after.children <= before.children ? [] : [`${after.children - before.children} processes are left over`]),
    ...(after.sockets <= before.sockets ? [] : [`${after.sockets - before.sockets} sockets are left over`]),
    ...(growth <= MOST_GROWTH ? [] : [`the supervisor grew by ${Math.round(growth * 100)} %`]),
  ];
}
