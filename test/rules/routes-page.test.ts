import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ROUTES } from "@sallyport/cloud/src/access/routes/table.ts";
import { PAGE, routesTable, withTable } from "./routes-page.ts";

test("docs/api.md has the table of routes as it is: npx node test/rules/pages.ts", () => {
  const page = readFileSync(PAGE, "utf8");
  assert.equal(withTable(page), page);
});

test("another table makes another page, and each route is a row of it", () => {
  const { health, ...fewer } = ROUTES;
  assert.notEqual(routesTable(fewer), routesTable());
  assert.equal(routesTable().match(/^\| `/gm)?.length, Object.keys(ROUTES).length);
  assert.ok(routesTable().includes(health.does));
});
