import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { hashLogin, loginName } from "./login.ts";

const key = Buffer.alloc(32, 7);
const name = (server: string, user: string) =>
  loginName(toBase64url(key), server, hashLogin(key, "erp:1433", user), ["svc_read", "svc_write"]);

test("a login that the policy lists has its name, another one eight characters of its HMAC", () => {
  assert.equal(name("erp:1433", "svc_write"), "svc_write");
  assert.equal(name("erp:1433", "sa"), `login:${hashLogin(key, "erp:1433", "sa").slice(0, 8)}`);
  assert.doesNotMatch(name("erp:1433", "administrator"), /admin/);
});

test("a login of another server is another login, and one of the same server is the same", () => {
  assert.match(name("crm:1433", "svc_write"), /^login:/);
  assert.equal(name("ERP:1433", "svc_write"), "svc_write");
  // SQL Server's own logins may differ by case alone.
  assert.notEqual(hashLogin(key, "erp:1433", "svc"), hashLogin(key, "erp:1433", "SVC"));
});

test("an account of a domain is one wherever it is tried, and however its letters are written", () => {
  for (const user of ["CORP\\svc", "svc@corp.example", "CN=svc,OU=Staff,DC=corp,DC=example"]) {
    const there = hashLogin(key, "erp:1433", user);
    assert.equal(hashLogin(key, "dc1.corp.example:636", user.toUpperCase()), there, user);
    assert.notEqual(hashLogin(key, "erp:1433", user.replace("svc", "other")), there, user);
  }
  // Nor does a server's name make another account of one.
  assert.notEqual(hashLogin(key, "", "svc"), hashLogin(key, "", "\\svc"));
});
