import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Authority, makeAuthority } from "../tls/certificates.ts";
import { type FunctionsHost, startFunctionsHost } from "./start.ts";
import { type Call, call } from "./test-client.ts";

const app = fileURLToPath(new URL("fixtures/http", import.meta.url));

let authority: Authority;
let host: FunctionsHost;
before(async () => {
  authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"] });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const identity = { privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
  host = await startFunctionsHost({ app, tls, identity, env: { GREETING: "hello" } });
});
after(() => host.close());

const get = (path: string, options: Call = {}) => call(authority.caPem, host.url + path, options);

test("the ready line names the functions, and what the app printed is in the log", () => {
  assert.deepEqual([...host.functions].sort(), [
    "binary",
    "chief",
    "echo",
    "fails",
    "guarded",
    "hangs",
    "nothing",
    "settings",
    "slow",
  ]);
  assert.ok(host.lines().includes("printed while loading"));
  assert.ok(host.lines().includes("written to stdout while loading"));
});

test("a request goes through the real library: parameters, query, headers, body", async () => {
  const answer = await get("/api/echo/7/a/b%20c?x=1&x=2&y=%C3%A4", {
    method: "POST",
    body: '{"n":1}',
    headers: { "content-type": "application/json", "x-twice": ["1", "2"] },
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "application/json");
  const seen = JSON.parse(answer.text);
  assert.equal(seen.method, "POST");
  assert.equal(seen.url, `${host.url}/api/echo/7/a/b%20c?x=1&x=2&y=%C3%A4`);
  assert.deepEqual(seen.params, { id: "7", rest: "a/b c" });
  assert.deepEqual(seen.query, { x: "1,2", y: "ä" });
  assert.equal(seen.headers["x-twice"], "1,2");
  assert.equal(seen.body, '{"n":1}');
  assert.equal(seen.user, null);
});

test("whoever sends x-ms-client-principal becomes request.user", async () => {
  const principal = Buffer.from(JSON.stringify({ identityProvider: "none", userId: "mallory" })).toString("base64");
  const answer = await get("/api/echo/1", { headers: { "x-ms-client-principal": principal } });
  assert.equal(JSON.parse(answer.text).user.id, "mallory");
});

test("bytes, status, headers and cookies come back exactly", async () => {
  const body = Uint8Array.from({ length: 256 }, (_, index) => index);
  const answer = await get("/api/binary", { method: "POST", body });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers["x-answer"], "yes");
  assert.deepEqual(answer.headers["set-cookie"], ["a=b; Path=/; HttpOnly; SameSite=Strict"]);
  assert.deepEqual(answer.body, Buffer.from(body).reverse());
});

test("an unhandled error is 500 with an empty body; the log has it", async () => {
  const answer = await get("/api/fails");
  assert.equal(answer.status, 500);
  assert.equal(answer.text, "");
  await host.line(/error Function\.fails Failed .*a fault that nobody outside may read/);
});

test("a function that returns nothing answers 204", async () => {
  const answer = await get("/api/nothing");
  assert.equal(answer.status, 204);
  assert.equal(answer.text, "");
});

const UNKNOWN: [what: string, path: string, method: string][] = [
  ["an unknown route", "/api/none", "GET"],
  ["a route without its prefix", "/fails", "GET"],
  ["a known route with another method", "/api/fails", "DELETE"],
  ["a parameter against its constraint", "/api/echo/x", "GET"],
];

for (const [what, path, method] of UNKNOWN) {
  test(`${what} is 404`, async () => assert.equal((await get(path, { method })).status, 404));
}

test("authLevel function wants a key, in the header or the query", async () => {
  assert.equal((await get("/api/guarded")).status, 401);
  assert.equal((await get("/api/guarded?code=wrong")).status, 401);
  assert.equal((await get(`/api/guarded?code=${host.functionKey}`)).text, "guarded");
  assert.equal((await get("/api/guarded", { headers: { "x-functions-key": host.masterKey } })).text, "guarded");
});

test("authLevel admin wants the master key", async () => {
  assert.equal((await get("/api/chief", { headers: { "x-functions-key": host.functionKey } })).status, 401);
  assert.equal((await get("/api/chief", { headers: { "x-functions-key": host.masterKey } })).text, "chief");
});

test("the app sees its settings, its host name and its identity, and neither keys nor this process's environment", async () => {
  process.env.FUNCTIONS_HOST_TEST_LEAK = "leaked";
  const names = ["GREETING", "WEBSITE_HOSTNAME", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "FUNCTIONS_MASTER_KEY"];
  const query = [...names, "FUNCTIONS_KEY", "FUNCTIONS_HOST_TEST_LEAK", "NODE_TEST_CONTEXT"].map((name) => `${name}=`);
  const seen = JSON.parse((await get(`/api/settings?${query.join("&")}`)).text);
  delete process.env.FUNCTIONS_HOST_TEST_LEAK;
  assert.match(seen.IDENTITY_ENDPOINT, /^http:\/\/127\.0\.0\.1:\d+\/msi\/token$/);
  assert.match(seen.IDENTITY_HEADER, /./);
  assert.deepEqual(
    { ...seen, IDENTITY_ENDPOINT: "", IDENTITY_HEADER: "" },
    {
      GREETING: "hello",
      WEBSITE_HOSTNAME: new URL(host.url).host,
      IDENTITY_ENDPOINT: "",
      IDENTITY_HEADER: "",
      FUNCTIONS_MASTER_KEY: null,
      FUNCTIONS_KEY: null,
      FUNCTIONS_HOST_TEST_LEAK: null,
      NODE_TEST_CONTEXT: null,
    },
  );
});

test("a client that does not know the authority gets nowhere", async () => {
  const other = await makeAuthority();
  await assert.rejects(call(other.caPem, `${host.url}/api/nothing`), /certificate|self-signed|unable to verify/i);
});
