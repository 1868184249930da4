import assert from "node:assert/strict";
import { test } from "node:test";
import { hasSequence, importsOf, isTest, readSources, tokens } from "./source.ts";

const values = (text: string) => tokens(text).map(({ kind, value }) => (kind === "text" ? `"${value}"` : value));

test("comments vanish, strings stay strings", () => {
  assert.deepEqual(values('a /* b.listen() */ .c // d()\n(\'e // f\', "g\\"h")'), [
    ..."a . c (".split(" "),
    '"e // f"',
    ",",
    '"g\\"h"',
    ")",
  ]);
});

test("a template's text is text and its expressions are tokens, nested too", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text under test is a template.
  assert.deepEqual(values("`x ${a({ b: `y${c}` })} z` + d"), [
    '"x "',
    ..."a ( { b :".split(" "),
    '"y"',
    "c",
    '""',
    "}",
    ")",
    '" z"',
    "+",
    "d",
  ]);
});

test("a regular expression hides what looks like code, a division does not", () => {
  assert.deepEqual(values('x = /a[/](b)\\/"/g.test(y)'), ["x", "=", '"a[/](b)\\/"/"', ...". test ( y )".split(" ")]);
  assert.deepEqual(values("a / b / c(d)"), "a / b / c ( d )".split(" "));
  assert.ok(hasSequence(tokens("return /'/.exec(x).listen(0)"), ".", "listen", "("));
});

test("imports are found in every spelling, and only imports", () => {
  const text = `
    import a from "a"; import "b"; export * from 'c'; import type { D } from "d";
    const e = await import("e"); const f = require("f"); const g = createRequire(import.meta.url).resolve("g");
    // import "no"; \n const from = "no"; const text = 'from "no"';`;
  assert.deepEqual(importsOf(text), ["a", "b", "c", "d", "e", "f", "g"]);
});

test("the sources of all four workspaces are read", () => {
  const paths = readSources().map(({ path }) => path);
  for (const path of ["shared/src/json.ts", "agent/src/config.ts", "cloud/src/settings.ts", "test/rules/source.ts"]) {
    assert.ok(paths.includes(path), path);
  }
  assert.ok(paths.every((path) => !path.includes("node_modules") && !path.includes("\\")));
  assert.ok(isTest({ path: "shared/src/rows/test-samples.ts", text: "" }));
  assert.ok(!isTest({ path: "agent/src/latest.ts", text: "" }));
});
