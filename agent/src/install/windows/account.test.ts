import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../config-error.ts";
import { DEFAULT_ACCOUNT, needsLogonRight, parseAccount, passwordFor } from "./account.ts";

test("accounts as people write them", () => {
  const kinds = {
    "NT SERVICE\\Sallyport": "virtual",
    "nt service\\sallyport": "virtual",
    SYSTEM: "system",
    localsystem: "system",
    "Network Service": "builtIn",
    "NT AUTHORITY\\LOCAL SERVICE": "builtIn",
    "CORP\\svc-sallyport$": "managed",
    "svc-sallyport$@corp.example": "managed",
    "CORP\\svc sallyport": "dedicated",
    ".\\sallyport": "dedicated",
    "svc@corp.example": "dedicated",
  };
  for (const [text, kind] of Object.entries(kinds)) assert.equal(parseAccount(text).kind, kind, text);
  assert.equal(parseAccount("NETWORK SERVICE").name, "NT AUTHORITY\\NetworkService");
  assert.equal(parseAccount("CORP\\svc$").name, "CORP\\svc$");
});

test("what is none, or somebody else's, is refused", () => {
  for (const text of [
    "",
    "svc",
    "CORP\\",
    "\\svc",
    "CORP\\a\\b",
    "CORP\\a;b",
    'CORP\\a"',
    "a@b@c",
    "CORP\\a\0",
    "CORP\\a\nb",
    ".\\svc$",
    "NT SERVICE\\Other",
    "nt authority\\anonymous logon",
  ])
    assert.throws(() => parseAccount(text), ConfigError, JSON.stringify(text));
});

test("only a dedicated account has a password, and must have one", () => {
  assert.equal(passwordFor(DEFAULT_ACCOUNT, undefined), null);
  assert.equal(passwordFor(parseAccount("CORP\\svc$"), undefined), null);
  assert.equal(passwordFor(parseAccount("SYSTEM"), undefined), "");
  assert.equal(passwordFor(parseAccount("CORP\\svc"), "pä ss"), "pä ss");
  assert.throws(() => passwordFor(parseAccount("CORP\\svc"), undefined), /--password-file/);
  assert.throws(() => passwordFor(parseAccount("CORP\\svc"), ""), /--password-file/);
  for (const name of ["SYSTEM", "CORP\\svc$", "Sallyport"])
    assert.throws(() => passwordFor(parseAccount(name), "x"), /needs no password/, name);
});

test("a domain's and a machine's accounts have to be given the right to be a service's", () => {
  assert.deepEqual(
    ["Sallyport", "SYSTEM", "NetworkService", "CORP\\svc$", ".\\svc"].map((name) =>
      needsLogonRight(parseAccount(name)),
    ),
    [false, false, false, true, true],
  );
});
