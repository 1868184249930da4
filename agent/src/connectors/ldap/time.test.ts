import assert from "node:assert/strict";
import { test } from "node:test";
import { fileTime, generalizedTime, isoText, writeFileTime, writeGeneralizedTime } from "./time.ts";

const DAY = 86_400_000;
const at = (iso: string, ticks = 0) => {
  const ms = Date.parse(iso);
  return { days: Math.floor(ms / DAY), ticks: (ms - Math.floor(ms / DAY) * DAY) * 10_000 + ticks };
};

const GENERALIZED: readonly (readonly [text: string, instant: unknown])[] = [
  ["20261122113000.0Z", at("2026-11-22T11:30:00Z")],
  ["16010101000000.0Z", at("1601-01-01T00:00:00Z")],
  ["20240229235959Z", at("2024-02-29T23:59:59Z")],
  ["20261122113000.1234567Z", at("2026-11-22T11:30:00Z", 1_234_567)],
  ["202611221130Z", at("2026-11-22T11:30:00Z")],
  ["2026112211Z", at("2026-11-22T11:00:00Z")],
  ["20261122123000.0+0100", at("2026-11-22T11:30:00Z")],
  ["20261122000000.0-0230", at("2026-11-22T02:30:00Z")],
  ["20161231235960.0Z", at("2017-01-01T00:00:00Z")],
  ...[
    "20260230000000.0Z",
    "20261322000000.0Z",
    "20261122250000.0Z",
    "20261122113000.0",
    "20261122113000.12345678Z",
  ].map((text) => [text, undefined] as const),
  ...["", "never", "202611221130.5Z", "20261122113000.0Zx"].map((text) => [text, undefined] as const),
];
for (const [text, instant] of GENERALIZED) {
  test(`the generalised time ${JSON.stringify(text)}`, () => assert.deepEqual(generalizedTime(text), instant));
}

const FILE_TIMES: readonly (readonly [text: string, instant: unknown])[] = [
  ["116444736000000000", { days: 0, ticks: 0 }],
  ["116444736000000001", { days: 0, ticks: 1 }],
  ["116444735999999999", { days: -1, ticks: 863_999_999_999 }],
  ["1", { days: -134_774, ticks: 1 }],
  ["0", "never"],
  ["9223372036854775807", "never"],
  ["9223372036854775808", undefined],
  ["-36288000000000", undefined],
  ["", undefined],
  ["0x10", undefined],
];
for (const [text, instant] of FILE_TIMES) {
  test(`the count ${JSON.stringify(text)}`, () => assert.deepEqual(fileTime(text), instant));
}

test("what rows show is written back as the directory has it", () => {
  assert.equal(writeGeneralizedTime("2026-11-22T11:30:00Z"), "20261122113000.0Z");
  assert.equal(writeGeneralizedTime("2026-11-22T11:30:00.25"), "20261122113000.25Z");
  assert.equal(writeFileTime("1970-01-01T00:00:00Z"), "116444736000000000");
  assert.equal(writeFileTime("2025-01-01T08:00:00.0000001Z"), "133801920000000001");
  assert.equal(writeFileTime("1601-01-01T00:00:00Z"), "0");
  for (const bad of ["1600-12-31T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-22", "2026-11-22T25:00:00Z"]) {
    assert.equal(writeFileTime(bad), undefined, bad);
  }
  assert.equal(writeGeneralizedTime("2026-02-30T00:00:00Z"), undefined);
});

test("an instant is written to its last tick, in any year", () => {
  const texts: readonly (readonly [string, string])[] = [
    ["1", "1601-01-01T00:00:00.0000001Z"],
    ["133801920000000001", "2025-01-01T08:00:00.0000001Z"],
    ["116444735999999999", "1969-12-31T23:59:59.9999999Z"],
    ["2650467743999999999", "9999-12-31T23:59:59.9999999Z"],
    ["9223372036854775806", "+030828-09-14T02:48:05.4775806Z"],
  ];
  for (const [ticks, text] of texts) {
    const instant = fileTime(ticks);
    assert.ok(typeof instant === "object");
    assert.equal(isoText(instant), text);
  }
});
