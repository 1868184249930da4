/** What one session may take: the smallest of what the policy and the request say, enforced while rows stream. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "@sallyport/shared/schema/operations.ts";

/** Limits of one level of the policy: the file, the connection or the rule. */
export type StatedLimits = { readonly [Name in keyof Limits]?: number | undefined };

const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];

/** The smallest that the levels state, the default where none does, and never more than the request asks for. */
export function smallestLimits(levels: readonly (StatedLimits | undefined)[], requested: Limits): Limits {
  const entries = NAMES.map((name) => {
    const stated = levels.flatMap((level) => level?.[name] ?? []);
    const policy = stated.length > 0 ? Math.min(...stated) : DEFAULT_LIMITS[name];
    return [name, Math.min(policy, requested[name])];
  });
  return Object.fromEntries(entries) as unknown as Limits;
}

/** Counts what leaves. `take` comes before the rows do, so nothing above the limit is ever sent. */
export interface Meter {
  readonly rows: number;
  readonly bytes: number;
  /** @throws SallyportError `limit.rows` or `limit.bytes`. */
  take(rows: number, bytes: number): void;
}

export function createMeter(limits: Pick<Limits, "rows" | "bytes">): Meter {
  const taken = { rows: 0, bytes: 0 };
  return {
    get rows() {
      return taken.rows;
    },
    get bytes() {
      return taken.bytes;
    },
    take(rows, bytes) {
      if (taken.rows + rows > limits.rows) {
        throw new SallyportError("limit.rows", `The result has more than the ${limits.rows} rows allowed.`, {
          rows: limits.rows,
        });
      }
      if (taken.bytes + bytes > limits.bytes) {
        throw new SallyportError("limit.bytes", `The result has more than the ${limits.bytes} bytes allowed.`, {
          bytes: limits.bytes,
        });
      }
      taken.rows += rows;
      taken.bytes += bytes;
    },
  };
}

/** A fuse for the whole session: after `limits.seconds` its signal aborts with `limit.time`. Always `clear` it. */
export function createTimeFuse(limits: Pick<Limits, "seconds">): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const { seconds } = limits;
    controller.abort(new SallyportError("limit.time", `The session took the ${seconds} seconds allowed.`, { seconds }));
  }, limits.seconds * 1000);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
