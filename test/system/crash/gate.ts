/**
 * Where a proxy asks, for each request of the function host, whether it may go on, and for each reply whether it may reach
 * the host. A trap is what answers no: it is sprung by one request, before it is forwarded or after it was applied.
 */
import type { Seen } from "./seen.ts";

export type When = "before" | "after";
/** `withhold`: forward the request, and ask `after` before its reply goes anywhere. */
export type Fate = "go" | "drop" | "withhold";

export interface Trap {
  readonly when: When;
  /** `nth` counts the requests since the trap was set, looks into the wake index left out. */
  matches(seen: Seen, nth: number): boolean;
  /** What happens then; `drop` where whoever sent the request is no more. */
  spring(seen: Seen): Promise<"go" | "drop">;
}

export interface Gate {
  before(seen: Seen): Promise<Fate>;
  /** Also when no reply came, because a connection broke. */
  after(seen: Seen): Promise<"go" | "drop">;
  /** Sets a trap in place of the last one. Resolves when it was sprung, with what sprung it; rejects as `spring` does. */
  set(trap: Trap): Promise<Seen>;
  clear(): void;
  /** Whether a trap waits for its request. */
  readonly isSet: boolean;
  /** How many of each step have passed. */
  readonly passed: ReadonlyMap<string, number>;
}

interface Set {
  readonly trap: Trap;
  readonly sprung: PromiseWithResolvers<Seen>;
  nth: number;
}

export function createGate(): Gate {
  const passed = new Map<string, number>();
  /** Requests that sprang a trap whose time is after their reply. */
  const withheld = new Map<Seen, Set>();
  let current: Set | undefined;

  async function spring({ trap, sprung }: Set, seen: Seen): Promise<"go" | "drop"> {
    try {
      const fate = await trap.spring(seen);
      sprung.resolve(seen);
      return fate;
    } catch (thrown) {
      // It concerns whoever has set the trap, not the proxy.
      sprung.reject(thrown);
      return "drop";
    }
  }

  return {
    passed,
    async before(seen) {
      passed.set(seen.step, (passed.get(seen.step) ?? 0) + 1);
      const set = current;
      if (!set || seen.step === "wake list") return "go";
      set.nth += 1;
      if (!set.trap.matches(seen, set.nth)) return "go";
      current = undefined;
      if (set.trap.when === "before") return spring(set, seen);
      withheld.set(seen, set);
      return "withhold";
    },
    async after(seen) {
      const set = withheld.get(seen);
      withheld.delete(seen);
      return set ? spring(set, seen) : "go";
    },
    set(trap) {
      const sprung = Promise.withResolvers<Seen>();
      sprung.promise.catch(() => undefined); // reported where it is awaited
      current = { trap, sprung, nth: 0 };
      return sprung.promise;
    },
    clear() {
      current = undefined;
    },
    get isSet() {
      return current !== undefined;
    },
  };
}
