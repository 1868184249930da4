/** The counter itself put to the test, on what the lanes have really delivered: planted faults have to be found. */
import assert from "node:assert/strict";
import type { Check } from "../suite.ts";
import { count, missingNumbers } from "./count.ts";
import type { Verdict } from "./verdict.ts";

export async function checkCounter(check: Check, { book, ended, delivered, numbers }: Verdict): Promise<void> {
  await check(
    "counter-examples: a lost row, a repeated row, a run's rows left out and a missing manifest are found",
    () => {
      // The last version that there is must have come: nothing has replaced it.
      const last = book.at(-1)!;
      const without = delivered.filter(({ key, version }) => key !== last.key || version !== last.version);
      assert.deepEqual(
        count(book, ended, without).lost.map(({ key, version }) => ({ key, version })),
        [{ key: last.key, version: last.version }],
      );
      const twice = [...delivered, delivered[0]!];
      assert.deepEqual(count(book, ended, twice).repeated, [delivered[0]]);
      const { run } = ended.at(-1)!;
      assert.ok(
        count(
          book,
          ended,
          delivered.filter((row) => row.run !== run),
        ).lost.length > 0,
      );
      assert.equal(count(book, ended.toSpliced(1, 1), delivered).gaps.length, 1);
      const middle = numbers[Math.floor(numbers.length / 2)]!;
      const others = numbers.filter((seq) => seq !== middle);
      assert.deepEqual(missingNumbers(others, numbers.length), [middle]);
    },
  );
}
