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

/** Renews the lease until it is released. `lost` is called once somebody else has taken the request. */
export function hold(deps: RequestDeps, stored: Stored<RequestRecord>, lost: () => void): Held {
  let current: Stored<RequestRecord> | undefined = stored;
  let queue: Promise<unknown> = Promise.resolve();
  const write = (part: Partial<RequestRecord>): Promise<boolean> => {
    const written = queue.then(async () => {
      if (current === undefined) return false;
      current = await deps.store.requests.update(current, { ...current.value, ...part });
      if (current === undefined) lost();
      return current !== undefined;
    });
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

export const leaseFrom = ({ now, settings }: Pick<RequestDeps, "now" | "settings">): string =>
  new Date(now().getTime() + settings.leaseSeconds * 1000).toISOString();

/** Takes over a request that nobody holds; undefined when somebody does, or was quicker. */
export async function claim(
  deps: RequestDeps,
  stored: Stored<RequestRecord>,
): Promise<Stored<RequestRecord> | undefined> {
  const isHeld = stored.value.state === "running" && Date.parse(stored.value.leaseUntil) > deps.now().getTime();
  if (isHeld) return undefined;
  const holder = deps.random(16).toString("hex");
  return deps.store.requests.update(stored, { ...stored.value, state: "running", holder, leaseUntil: leaseFrom(deps) });
}

export const lostRequest = (): SallyportError =>
  new SallyportError("api.internal", "Another instance has taken over this request.");
