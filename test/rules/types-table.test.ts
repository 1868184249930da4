import assert from "node:assert/strict";
import { test } from "node:test";
import { readTypesPage, typesTable, withTypes } from "./types-table.ts";

test("the page's table of types is the one that values are carried by", () => {
  const page = readTypesPage();
  assert.equal(page, withTypes(page), "run `npx node test/rules/pages.ts`");
  assert.match(typesTable(), /\| `decimal\(p,s\)`, `numeric\(p,s\)` \| Decimal128\(p, s\), all 38 digits \|/);
});

test("another table, or a page without one, is noticed", () => {
  const page = readTypesPage();
  const other = page.replace("| `bit` | Bool |", "| `bit` | Int8 |");
  assert.notEqual(other, page);
  assert.notEqual(other, withTypes(other));
  assert.throws(() => withTypes(page.replace("<!-- end of types -->", "")));
});
