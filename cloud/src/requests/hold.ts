/** Holding a request's record: every write goes through one chain of ETags, so that of two holders one ends it. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Stored } from "../store/record.ts";
import type { RequestRecord } from "../store/requests.ts";
import type { RequestDeps } from "./deps.ts";

export interface Held {
  readonly record: RequestRecord;
  /** False when somebody else holds it by now: then nothing more is written. */
  write(part: Partial<RequestRecord>): Promise<boolean>;
  /** Writes no more signs of life. */
  release(): void;
}

/** A write that is refused again and again although nobody has taken the request over: somebody rings it at the same moment. */
const TRIES = 3;

/** Renews the lease until it is released. `lost` is called once somebody else has taken the request. */
export function hold(deps: RequestDeps, stored: Stored<RequestRecord>, lost: () => void): Held {
  let current: Stored<RequestRecord> | undefined = stored;
  let queue: Promise<unknown> = Promise.resolve();

  const tryToWrite = async (part: Partial<RequestRecord>): Promise<boolean> => {
    for (let tries = 1; current !== undefined; tries++) {
      const before: Stored<RequestRecord> = current;
      const written = await deps.store.requests.update(before, { ...before.value, ...part });
      if (written !== undefined) {
        current = written;
        return true;
      }
      current = tries < TRIES ? await readMine(deps, before) : undefined;
      // Only its holder ends a request, so this end is what was written, and its answer was lost.
      if (current !== undefined && current.value.endedAt !== null) return true;
    }
    lost();
    return false;
  };

  const write = (part: Partial<RequestRecord>): Promise<boolean> => {
    const written = queue.then(() => current !== undefined && tryToWrite(part));
    queue = written.catch(() => undefined);
    return written;
  };
  const renewal = setInterval(
    () => void write({ leaseUntil: leaseFrom(deps) }).catch(() => undefined),
    (deps.settings.leaseSeconds * 1000) / 3,
  );
  return {
    get record() {
      return (current ?? stored).value;
    },
    write,
    release: () => clearInterval(renewal),
  };
}

/**
 * The record after a refused write, while it is still its holder's. A write whose answer was lost is repeated by the storage's
 * client, and refused, because it was applied: that takes nothing from the holder.
 */
export async function readMine(deps: RequestDeps, { row, value }: Stored<RequestRecord>) {
  const found = await deps.store.requests.get(row.partition, row.row);
  return found?.value.holder === value.holder ? found : undefined;
}

/** `moreSeconds`: after which a bell rings for it. */
export const leaseFrom = ({ now, settings }: Pick<RequestDeps, "now" | "settings">, moreSeconds = 0): string =>
  new Date(now().getTime() + (settings.leaseSeconds + moreSeconds) * 1000).toISOString();

/** Somebody works on it, and has given a sign of life. */
export const isHeld = ({ now }: Pick<RequestDeps, "now">, { state, leaseUntil }: RequestRecord): boolean =>
  state === "running" && Date.parse(leaseUntil) > now().getTime();

/** Takes over a request that nobody holds; undefined when somebody does, or was quicker. */
export async function claim(
  deps: RequestDeps,
  stored: Stored<RequestRecord>,
): Promise<Stored<RequestRecord> | undefined> {
  if (isHeld(deps, stored.value)) return undefined;
  const holder = deps.random(16).toString("hex");
  const claimed = { ...stored.value, state: "running", holder, leaseUntil: leaseFrom(deps) } as const;
  return (await deps.store.requests.update(stored, claimed)) ?? (await readMine(deps, { ...stored, value: claimed }));
}

export const lostRequest = (): SallyportError =>
  new SallyportError("api.internal", "Another instance has taken over this request.");
