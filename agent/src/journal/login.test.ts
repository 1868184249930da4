import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { hashLogin, loginName } from "./login.ts";

const key = Buffer.alloc(32, 7);
const hash = (server: string, user: string, signIn = "sql") => hashLogin(key, server, user, signIn);
const name = (server: string, user: string) =>
  loginName(toBase64url(key), server, hash("erp:1433", user), ["svc_read", "svc_write"]);

test("a login that the policy lists has its name, another one eight characters of its HMAC", () => {
  assert.equal(name("erp:1433", "svc_write"), "svc_write");
  assert.equal(name("erp:1433", "sa"), `login:${hash("erp:1433", "sa").slice(0, 8)}`);
  assert.doesNotMatch(name("erp:1433", "administrator"), /admin/);
});

test("a login of another server is another login, and one of the same server is the same", () => {
  assert.match(name("crm:1433", "svc_write"), /^login:/);
  assert.equal(name("ERP:1433", "svc_write"), "svc_write");
  // SQL Server's own logins may differ by case alone.
  assert.notEqual(hash("erp:1433", "svc"), hash("erp:1433", "SVC"));
});

test("an account of a domain is one wherever it is tried, and however its letters are written", () => {
  for (const user of ["CORP\\svc", "svc@corp.example", "CN=svc,OU=Staff,DC=corp,DC=example"]) {
    const there = hash("erp:1433", user, "windowsNtlm");
    for (const signIn of ["simple", "negotiate", "ntlm"])
      assert.equal(hash("dc1.corp.example", user.toUpperCase(), signIn), there, user);
    assert.notEqual(hash("erp:1433", user.replace("svc", "other"), "windowsNtlm"), there, user);
  }
});

test("a server's own login, and a machine's own account, are others at another server, whatever is in their names", () => {
  for (const [user, signIn] of [
    ["app@shop", "sql"],
    ["CORP\\svc", "sql"],
    [".\\svc", "windowsNtlm"],
    ["\\svc", "windowsNtlm"],
  ] as const)
    assert.notEqual(hash("erp:1433", user, signIn), hash("crm:1433", user, signIn), user);
  assert.notEqual(hash("erp:1433", "CORP\\svc", "sql"), hash("erp:1433", "CORP\\svc", "windowsNtlm"));
});

test("a name is the policy's in whichever way it is signed in", () => {
  for (const signIn of ["sql", "windowsNtlm", "simple"])
    assert.equal(loginName(toBase64url(key), "erp:1433", hash("erp:1433", "a@x", signIn), ["svc", "a@x"]), "a@x");
});
