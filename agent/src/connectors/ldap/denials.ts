/** The owner's denials once more, now by where the directory has the objects: a request may name them by GUID, or by another spelling. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { mayBeWithin } from "../../place.ts";
import type { Denying } from "../directory-grant.ts";

/**
 * The grant, with every attribute among its `denied` that is denied at one of these places.
 * @param taken the object that takes along what is below it
 * @throws SallyportError `policy.denied` where all of a place is
 */
export function heldAt<Grant extends Denying>(grant: Grant, places: readonly string[], taken?: string): Grant {
  const near = grant.denials.filter(({ bases }) =>
    bases.some(
      (base) => places.some((place) => mayBeWithin(place, base)) || (taken !== undefined && mayBeWithin(base, taken)),
    ),
  );
  const whole = near.find(({ attributes }) => attributes === undefined);
  if (whole !== undefined) {
    throw new SallyportError("policy.denied", "A rule denies what lies where the directory has it.", {
      rule: whole.id,
    });
  }
  return { ...grant, denied: [...grant.denied, ...near.flatMap(({ attributes }) => attributes ?? [])] };
}
