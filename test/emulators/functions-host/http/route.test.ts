import assert from "node:assert/strict";
import { test } from "node:test";
import { compareRoutes, matchRoute, parseRoute, splitPath } from "./route.ts";

const match = (template: string, path: string) => matchRoute(parseRoute(template), splitPath(path));

const MATCHES: [template: string, path: string, params: Record<string, string> | undefined][] = [
  ["api/orders", "/api/orders", {}],
  ["api/orders", "/api/orders/", {}],
  ["api/orders", "/API/Orders", {}],
  ["api/orders", "/api/orders/1", undefined],
  ["api/orders", "/api", undefined],
  ["api/orders", "/api//orders", undefined],
  ["", "/", {}],
  ["", "/x", undefined],
  ["orders/{id}", "/orders/Ab%20c", { id: "Ab c" }],
  ["orders/{id}", "/orders/a%2Fb", { id: "a%2Fb" }],
  ["orders/{id}", "/orders/%zz", { id: "%zz" }],
  ["orders/{id}", "/orders", undefined],
  ["orders/{id}/lines/{line}", "/orders/1/lines/2", { id: "1", line: "2" }],
  ["list/{page?}", "/list", {}],
  ["list/{page?}", "/list/3", { page: "3" }],
  ["list/{page?}", "/list/3/4", undefined],
  ["list/{page:int?}", "/list", {}],
  ["list/{page:int?}", "/list/x", undefined],
  ["files/{*path}", "/files", {}],
  ["files/{*path}", "/files/a/b%20c/d", { path: "a/b c/d" }],
  ["n/{id:int}", "/n/-12", { id: "-12" }],
  ["n/{id:int}", "/n/2147483648", undefined],
  ["n/{id:long}", "/n/2147483648", { id: "2147483648" }],
  ["n/{id:guid}", "/n/0f8fad5b-d9cb-469f-a165-70867728950e", { id: "0f8fad5b-d9cb-469f-a165-70867728950e" }],
  ["n/{id:guid}", "/n/0f8fad5b", undefined],
  ["n/{b:bool}", "/n/TRUE", { b: "TRUE" }],
  ["n/{a:alpha:length(2,3)}", "/n/abc", { a: "abc" }],
  ["n/{a:alpha:length(2,3)}", "/n/abcd", undefined],
  ["n/{a:range(1,5)}", "/n/5", { a: "5" }],
  ["n/{a:range(1,5)}", "/n/6", undefined],
  ["n/{a:min(3)}", "/n/2", undefined],
  ["n/{a:max(3)}", "/n/4", undefined],
  ["n/{a:minlength(2)}", "/n/a", undefined],
  ["n/{a:maxlength(2)}", "/n/abc", undefined],
  ["n/{a:regex(^r[0-9]$)}", "/n/r7", { a: "r7" }],
  ["n/{a:regex(^r[0-9]$)}", "/n/r77", undefined],
  ["n/{a:decimal}", "/n/1.5", { a: "1.5" }],
  ["n/{a:double}", "/n/1e3", { a: "1e3" }],
];

for (const [template, path, params] of MATCHES) {
  test(`${template || "(empty)"} ${params ? "matches" : "does not match"} ${path}`, () => {
    assert.deepEqual(match(template, path), params);
  });
}

for (const template of [
  "a//b",
  "{a?}/b",
  "{*a}/b",
  "{a}/{A}",
  "{a}.{b}",
  "x{a}",
  "{a",
  "{1a}",
  "{a=5}",
  "{a:nothing}",
  "{a:int(5)}",
  "{a:range(x,5)}",
  "{a:length}",
]) {
  test(`the template ${template} is refused`, () => {
    assert.throws(() => parseRoute(template), Error);
  });
}

test("the more specific route comes first: literal, constrained, plain, rest", () => {
  const templates = ["a/{*rest}", "a/{id}", "a/{*n:int}", "a/{id:int}", "a/b", "a/b/c"];
  const sorted = templates.map(parseRoute).sort(compareRoutes);
  assert.deepEqual(
    sorted.map((route) => route.template),
    ["a/b", "a/b/c", "a/{id:int}", "a/{id}", "a/{*n:int}", "a/{*rest}"],
  );
});
