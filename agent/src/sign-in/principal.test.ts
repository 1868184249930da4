import assert from "node:assert/strict";
import { test } from "node:test";
import { principalOf } from "./principal.ts";

test("a login of either form is a principal of the domain", () => {
  assert.deepEqual(principalOf("CORP\\kari", "CORP.EXAMPLE"), { name: "kari@CORP.EXAMPLE", isEnterprise: false });
  assert.deepEqual(principalOf("kari@other.example", "CORP.EXAMPLE"), {
    ...{ name: "kari@other.example@CORP.EXAMPLE", isEnterprise: true },
  });
});

test("nothing in a login becomes another realm or another part of a name", () => {
  for (const login of [
    "CORP\\kari@OTHER",
    "CORP\\host/kari",
    "a@b@c",
    "host/dc1@corp",
    "CN=kari,DC=corp",
    "kari",
    "",
  ]) {
    assert.equal(principalOf(login, "CORP.EXAMPLE"), undefined, login);
  }
});
