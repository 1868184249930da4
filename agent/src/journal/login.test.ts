import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { hashLogin, loginName } from "./login.ts";

const key = Buffer.alloc(32, 7);
const name = (connection: string, user: string) =>
  loginName(toBase64url(key), connection, hashLogin(key, "erp", user), ["svc_read", "svc_write"]);

test("a login that the policy lists has its name, another one eight characters of its HMAC", () => {
  assert.equal(name("erp", "svc_write"), "svc_write");
  assert.equal(name("erp", "sa"), `login:${hashLogin(key, "erp", "sa").slice(0, 8)}`);
  assert.doesNotMatch(name("erp", "administrator"), /admin/);
});

test("a login of another connection is another login", () => assert.match(name("crm", "svc_write"), /^login:/));
