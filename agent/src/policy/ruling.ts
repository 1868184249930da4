/** What all rules of a connection make of one request, before the first that allows it is taken. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Fit } from "./fit.ts";

export interface Denied {
  readonly code: ErrorCode;
  /** The rule that decided it, where one did. */
  readonly rule?: string;
  /** A sentence for people; the orchestrator reads it too. */
  readonly reason: string;
  /** For the owner alone: rules that speak of what was asked for, and why each does not allow it. */
  readonly considered?: readonly { readonly rule: string; readonly why: string }[];
}

/** What counts of any rule, once its kind is no matter. */
export interface RuleInForce {
  readonly id: string;
  readonly callers?: readonly string[] | undefined;
  readonly until?: string | undefined;
}

export type Ruling<Grant> =
  | { readonly refused: Denied }
  | { readonly fits: readonly { readonly rule: RuleInForce; readonly fit: Fit<Grant> }[] };

/** The grants in file order; or why there is none: what a rule that is about it says, or that none is. */
export function settle<Grant>(
  ruling: Ruling<Grant>,
  asked: string,
): { readonly grants: readonly Grant[] } | { readonly deny: Denied } {
  if ("refused" in ruling) return { deny: ruling.refused };
  const grants = ruling.fits.flatMap(({ fit }) => ("grant" in fit ? [fit.grant] : []));
  if (grants.length > 0) return { grants };
  for (const { rule, fit } of ruling.fits) {
    if (!("misuse" in fit)) continue;
    const { misuse } = fit;
    return { deny: misuse.code === "policy.denied" ? { ...misuse, rule: rule.id } : misuse };
  }
  const considered = ruling.fits.flatMap(({ rule, fit }) =>
    "why" in fit && fit.near ? [{ rule: rule.id, why: fit.why }] : [],
  );
  return { deny: { code: "policy.denied", reason: `No rule allows ${asked}.`, considered } };
}
