import assert from "node:assert/strict";
import { test } from "node:test";
import { preflight } from "./preflight.ts";
import { STAFF, startDirectory } from "./test-directory.ts";

const never = new AbortController().signal;
const RULE = { id: "staff", bases: [STAFF], classes: ["user"], attributes: ["mail", "objectGUID"] };

test("a rule whose bases, classes and attributes are there is ok; each that is not is named", async (t) => {
  const { target } = await startDirectory(t);
  const odd = {
    id: "odd",
    bases: [STAFF, `OU=None,${STAFF}`],
    classes: ["wizard", "user"],
    attributes: ["mail", "favouriteColour"],
  };
  const all = { ...RULE, id: "all", classes: "*", attributes: "*" } as const;
  const [signIn, staff, warned, every] = await preflight(target(), [RULE, odd, all], never);
  assert.equal(signIn?.status, "ok");
  assert.match(signIn?.details ?? "", /^dc1\.corp\.example of DC=corp,DC=example, clock [+-]\d+\.\d s$/);
  assert.deepEqual([staff?.status, every?.status], ["ok", "ok"]);
  assert.deepEqual(warned, {
    ...{ what: "odd", status: "warn" },
    details: `not there, or hidden from this login: base OU=None,${STAFF}, class wizard, attribute favouriteColour`,
  });
});

test("a sign-in that fails is one finding, with its code and without the password", async (t) => {
  const { target, account } = await startDirectory(t);
  account.state = "disabled";
  assert.deepEqual(await preflight(target(), [RULE], never), [
    { what: "sign-in", status: "FAIL", details: "The account is disabled. (directory.account_disabled)" },
  ]);
});
