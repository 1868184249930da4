import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCookie, fromRpcHttp, toRpcHttp } from "./rpc-http.ts";

test("repeated headers and query keys are joined with commas", () => {
  const http = toRpcHttp({
    method: "GET",
    url: "https://localhost:1/api/x?a=1&b=2&a=3",
    rawHeaders: ["X-One", "1", "x-one", "2", "Host", "localhost"],
    params: { id: "7" },
    body: new Uint8Array(),
  });
  assert.equal(http.nullableQuery?.a?.value, "1,3");
  assert.equal(http.nullableQuery?.b?.value, "2");
  assert.equal(http.nullableHeaders?.["x-one"]?.value, "1,2");
  assert.equal(http.nullableHeaders?.host?.value, "localhost");
  assert.equal(http.nullableParams?.id?.value, "7");
  assert.equal(http.url, "https://localhost:1/api/x?a=1&b=2&a=3");
  assert.equal("body" in http, false);
});

test("a header called __proto__ is a header", () => {
  const http = toRpcHttp({
    method: "POST",
    url: "https://localhost/",
    rawHeaders: ["__proto__", "x"],
    params: {},
    body: Buffer.from("b"),
  });
  assert.deepEqual(Object.keys(http.nullableHeaders ?? {}), ["__proto__"]);
  assert.deepEqual(http.body, { bytes: Buffer.from("b") });
});

test("nothing returned is 204", () => {
  assert.deepEqual(fromRpcHttp(undefined), { status: 204, headers: [], body: new Uint8Array() });
});

test("an answer keeps status, headers and bytes, and loses headers that belong to the connection", () => {
  const answer = fromRpcHttp({
    statusCode: "418",
    headers: { "content-type": "text/plain", "content-length": "99", "transfer-encoding": "chunked" },
    cookies: [
      { name: "a", value: "1" },
      { name: "b", value: "2" },
    ],
    body: { bytes: Buffer.from([1, 2, 3]) },
  });
  assert.equal(answer.status, 418);
  assert.deepEqual(answer.headers, [
    ["content-type", "text/plain"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ]);
  assert.deepEqual([...answer.body], [1, 2, 3]);
});

test("a cookie has its attributes", () => {
  const cookie = formatCookie({
    name: "sid",
    value: "a b",
    maxAge: { value: 60 },
    expires: { value: { seconds: 0 } },
    domain: { value: "example.test" },
    path: { value: "/" },
    secure: { value: true },
    httpOnly: { value: true },
    sameSite: "lax",
  });
  assert.equal(
    cookie,
    "sid=a%20b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=example.test; Path=/; Secure; HttpOnly; SameSite=Lax",
  );
});
