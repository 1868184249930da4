import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { LocalDate } from "./local-date.ts";

// tedious' own: the package that stands in its place in the bundle is held against it.
const joda = createRequire(createRequire(import.meta.url).resolve("tedious"))("@js-joda/core");

const parts = fc.tuple(
  fc.integer({ min: 1, max: 9999 }),
  fc.integer({ min: 0, max: 13 }),
  fc.integer({ min: 0, max: 32 }),
);

test("days from the first of a year to any date are the package's, and so is what is no date", () =>
  fc.assert(
    fc.property(fc.constantFrom(1, 1900), parts, (year, [y, m, d]) => {
      const theirs = attempt(() =>
        joda.LocalDate.ofYearDay(year, 1).until(joda.LocalDate.of(y, m, d), joda.ChronoUnit.DAYS),
      );
      assert.equal(
        attempt(() => LocalDate.ofYearDay(year, 1).until(LocalDate.of(y, m, d))),
        theirs,
      );
    }),
    { numRuns: 2000 },
  ));

test("the parts of a Date that is none are refused", () => {
  assert.throws(() => joda.LocalDate.of(Number.NaN, Number.NaN, Number.NaN));
  assert.throws(() => LocalDate.of(Number.NaN, Number.NaN, Number.NaN), RangeError);
});

function attempt(count: () => number): number | "refused" {
  try {
    return count();
  } catch {
    return "refused";
  }
}
