import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFilter } from "../sql/parse.ts";
import type { Facets } from "./facets.ts";
import { type Rule, selects } from "./rules.ts";

const facets: Facets = { subject: "run", correlationId: "c", applicationProperties: { kind: "pull", rows: 3 } };

const correlation = (fields: object, applicationProperties: Record<string, string | number> = {}): Rule => ({
  matches: "correlation",
  filter: { ...fields, applicationProperties },
});

const sql = (expression: string): Rule => ({ matches: "sql", filter: parseFilter(expression) });

const cases: [string, Rule[], boolean][] = [
  ["everything", [{ matches: "everything" }], true],
  ["nothing", [sql("1=0")], false],
  ["a SQL filter", [sql("kind = 'pull' AND rows > 2")], true],
  ["no rules at all", [], false],
  ["one of two rules", [sql("1=0"), { matches: "everything" }], true],
  ["an equal field", [correlation({ subject: "run" })], true],
  ["another value", [correlation({ subject: "walk" })], false],
  ["another case", [correlation({ subject: "Run" })], false],
  ["a field that the message lacks", [correlation({ to: "x" })], false],
  ["all of several fields", [correlation({ subject: "run", correlationId: "c" }, { kind: "pull", rows: 3 })], true],
  ["not all of several fields", [correlation({ subject: "run", correlationId: "d" })], false],
  ["a property of another type", [correlation({}, { rows: "3" })], false],
  ["a property that the message lacks", [correlation({}, { other: 1 })], false],
];

for (const [name, rules, expected] of cases) {
  test(`${name}: ${expected ? "selected" : "passed over"}`, () => assert.equal(selects(rules, facets), expected));
}
