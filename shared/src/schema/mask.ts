/** How the owner's policy masks a column: its words in the file, and what they mean to the agent (docs/masks.md). */
import { z } from "zod";

/** Room for `withheld by contract 2026-114`, not for data. */
const FIXED_LENGTH_MAX = 256;
const FIXED = /^fixed:"([^"\p{Cc}]*)"$/u;

/**
 * `hash`: HMAC-SHA-256 under the site's mask key. `null`: nothing. `year`: of a date or time, its year. `last4`: of a text or
 * a whole number, its last four characters. `fixed`: this text for every value.
 */
export type Mask = "hash" | "null" | "year" | "last4" | { readonly fixed: string };

const fixedText = z
  .string()
  .max(FIXED_LENGTH_MAX)
  .regex(/^[^\p{Cc}]*$/u)
  .refine((text) => text.isWellFormed());

/** As a policy file has it: a word, `fixed:"…"`, or `{ fixed: … }`. YAML reads a bare `null` as no value, which is meant here. */
export const mask = z
  .union(
    [
      z.enum(["hash", "null", "year", "last4"]),
      z.null(),
      z
        .string()
        .max(FIXED_LENGTH_MAX + 8)
        .regex(FIXED),
      z.strictObject({ fixed: fixedText }),
    ],
    'use hash, null, year, last4 or fixed:"…"',
  )
  .transform((value): Mask => {
    if (value === null) return "null";
    const fixed = typeof value === "string" ? FIXED.exec(value)?.[1] : undefined;
    return fixed === undefined ? (value as Mask) : { fixed };
  });

/** Masks by column, as a rule says them; the columns' names are compared without regard to case. */
export type Masks = Readonly<Record<string, Mask>>;

/** The mask in one word, as it stands in the field metadata `masked` of a column. */
export const maskWord = (of: Mask): string => (typeof of === "string" ? of : "fixed");
