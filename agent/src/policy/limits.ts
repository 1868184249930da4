/** Limits of a request: the smallest of what the policy and the request itself say. */
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

/**
 * What of a request's limits counts. Limits for cells and rows are held against what is read, so a caller who chose them could
 * ask how long a masked value is: there the policy's own count alone.
 */
export const countedLimits = (requested: Limits, isMasked: boolean): Limits =>
  isMasked ? { ...requested, cellBytes: Number.POSITIVE_INFINITY, rowBytes: Number.POSITIVE_INFINITY } : requested;

/** `2` and `"2"` are one value: 64-bit integers and decimals travel as text. */
export const sameValue = (listed: unknown, given: unknown): boolean =>
  listed === null || given === null ? listed === given : String(listed) === String(given);
