import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { duration, plain } from "@sallyport/shared/terminal.ts";
import { ApiProblem, exitCodeOf } from "./exit.ts";
import { createOutput, facts, table } from "./print.ts";
import { progressLine } from "./run-text.ts";
import { bytes, rate, when } from "./words.ts";

describe("words", () => {
  it("times are as long as they need to be", () => {
    const s = 1000;
    const cases: [number, string][] = [
      [-5 * s, "0 s"],
      [499, "0 s"],
      [59.4 * s, "59 s"],
      [60 * s, "1 m"],
      [3599 * s, "59 m"],
      [3600 * s, "1 h 00 m"],
      [(26 * 60 + 5) * 60 * s, "1 d 02 h"],
    ];
    for (const [ms, text] of cases) assert.equal(duration(ms), text);
    const now = Date.parse("2026-01-01T00:00:00Z");
    assert.equal(when("2025-12-31T23:58:00Z", now), "2 m ago");
    assert.equal(when("2026-01-01T01:10:00Z", now), "in 1 h 10 m");
    assert.equal(when(null, now), "-");
  });

  it("sizes have a unit, and rates a time", () => {
    assert.deepEqual([0, 999, 1000, 9949, 9950, 912_345, 1.4e9, 5e15].map(bytes), [
      ...["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "912 kB", "1.4 GB", "5000 TB"],
    ]);
    assert.deepEqual([rate(1000, 99), rate(1000, 500)], ["-", "2,000 rows/s"]);
  });
});

describe("tables", () => {
  it("are aligned, numbers to the right, without what a terminal would obey", () => {
    const rows = [
      ["a", "1", "x\u001b[31m\nred"],
      ["long name", "12,345", "y\u202e"],
    ];
    assert.deepEqual(table(["NAME", "ROWS", "WHAT"], rows), [
      "NAME         ROWS  WHAT",
      "a               1  x?[31m?red",
      "long name  12,345  y?",
    ]);
    assert.deepEqual(
      facts([
        ["A", "1"],
        ["LONG", undefined],
        ["B B", "\t2"],
      ]),
      ["A    1", "B B  ?2"],
    );
    assert.equal(plain("Ærø ✓ 日本"), "Ærø ✓ 日本");
  });
});

describe("colours", () => {
  const stream = (isTTY: boolean) => ({ isTTY, write: () => true }) as unknown as NodeJS.WriteStream;
  it("are on a terminal only, and not with NO_COLOR", () => {
    assert.equal(createOutput(false, stream(true), "").coloured("failed "), "\u001b[31mfailed \u001b[0m");
    assert.equal(createOutput(false, stream(true), "1").coloured("failed"), "failed");
    assert.equal(createOutput(false, stream(false), "").coloured("failed"), "failed");
    assert.equal(createOutput(false, stream(true), "").coloured("superseded"), "superseded");
  });
});

describe("exit codes", () => {
  const of = (code: string, status: number) =>
    exitCodeOf(new ApiProblem({ type: "", title: "", status, code, detail: "", advice: "", instance: "" }));
  it("follow the code's own class, and the status where the code is not known here", () => {
    assert.deepEqual(
      [
        of("api.unauthenticated", 401),
        of("api.forbidden", 403),
        of("api.not_found", 404),
        of("api.conflict", 409),
        of("api.changed", 412),
        of("api.invalid", 400),
        of("settings.invalid", 500),
        of("storage.failed", 503),
        of("later.known", 503),
        of("later.known", 418),
      ],
      [77, 77, 1, 1, 75, 64, 78, 75, 75, 1],
    );
    assert.equal(exitCodeOf(new TypeError("ours")), 70);
  });
});

it("progress says what would stay: committed slices, rows, bytes and their rate", () => {
  const run = { state: "running", slices: 2, rows: 50_000, bytes: 1_200_000, error: null } as RunView;
  const at = { ...run, startedAt: "2026-01-01T00:00:00Z", endedAt: null };
  const output = createOutput(false, { isTTY: false } as NodeJS.WriteStream, "");
  const line = progressLine(at, output, Date.parse("2026-01-01T00:00:10Z"));
  assert.equal(line, "running  2 slices  50,000 rows  1.2 MB  5,000 rows/s");
});
