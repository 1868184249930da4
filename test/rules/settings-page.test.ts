import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SETTINGS } from "@sallyport/cloud/src/settings.ts";
import { SETTINGS_PAGE, settingsPage } from "./settings-page.ts";

const page = readFileSync(SETTINGS_PAGE, "utf8");
const row = (name: string) => page.split("\n").find((line) => line.startsWith(`| \`${name}\` |`)) ?? "";

test("docs/settings.md is what the product and infra/ say (npx node test/rules/pages.ts)", () => {
  assert.equal(page, settingsPage());
});

test("every setting has a sentence, and none of its columns is a guess that went wrong", () => {
  for (const name of Object.keys(SETTINGS)) {
    const cells = row(name).split(" | ");
    assert.equal(cells.length, 5, name);
    assert.doesNotMatch(row(name), /undefined|\[object/, name);
  }
  assert.match(row("SALLYPORT_TABLES"), /\| needed \| as a connection string \| `azd provision` \|/);
  assert.match(row("SALLYPORT_ORIGIN"), /\| no \| you, `azd env set` \|/);
  assert.match(row("SALLYPORT_ADMIN_KEY_SHA256"), /\| needed \| no \| azd, by a hook \|/);
  assert.match(row("SALLYPORT_LEASE_SECONDS"), /\| `60` \| no \| you, where you need it \|/);
  assert.match(row("WEBSITE_HOSTNAME"), /the platform/);
});
