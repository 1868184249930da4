/** docs/telemetry.md names every span, metric, code of health and setting that there is, and no other. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { HEALTH } from "@sallyport/cloud/src/health/codes.ts";
import { METRICS } from "@sallyport/cloud/src/telemetry/metrics.ts";
import { SPANS } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import { ROOT } from "./source.ts";

const page = readFileSync(join(ROOT, "docs/telemetry.md"), "utf8");

/** The names in backticks of the first column of a table, found by its heading. */
function firstColumn(heading: string): string[] {
  const table = page
    .slice(page.indexOf(`\n| ${heading} |`))
    .trimStart()
    .split("\n\n")[0]!;
  const rows = table.split("\n").slice(2);
  return rows.flatMap((row) => [...row.split("|")[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

describe("docs/telemetry.md", () => {
  it("has every span", () => {
    assert.deepEqual(firstColumn("span").sort(), [...SPANS].sort());
  });

  it("has every metric", () => {
    assert.deepEqual(firstColumn("metric").sort(), Object.keys(METRICS).sort());
  });

  it("has every code of health, with its status and advice", () => {
    assert.deepEqual(firstColumn("code"), Object.keys(HEALTH));
    for (const [code, { means, advice }] of Object.entries(HEALTH))
      assert.ok(page.includes(`| \`${code}\` | ${means} | ${advice} |`), code);
  });

  it("has every setting of telemetry's", () => {
    const settings = readFileSync(join(ROOT, "cloud/src/settings.ts"), "utf8");
    const known = [...settings.matchAll(/^ {2}(SALLYPORT_TELEMETRY\w*):/gm)].map(([, name]) => name!);
    assert.ok(known.length >= 4);
    assert.deepEqual(firstColumn("setting").sort(), known.sort());
  });
});
