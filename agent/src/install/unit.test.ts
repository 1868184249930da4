import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "../cli/exit.ts";
import { accountIn, unitText } from "./unit.ts";

const lines = (text: string): string[] => text.split("\n");

test("it starts again what may go better then, and not what somebody has to mend first", () => {
  const unit = lines(unitText());
  assert.ok(unit.includes("Restart=always"));
  assert.ok(unit.includes(`RestartForceExitStatus=${EXIT.tryAgain}`));
  const { usage, policyInvalid, refused, configuration } = EXIT;
  assert.ok(unit.includes(`RestartPreventExitStatus=${[usage, policyInvalid, refused, configuration].join(" ")}`));
});

test("it runs as the account that it is given, with that account's group, and says so", () => {
  const text = unitText({ account: "svc@corp.example", group: "domain" });
  assert.ok(lines(text).includes("User=svc@corp.example") && lines(text).includes("Group=domain"));
  assert.equal(accountIn(text), "svc@corp.example");
  assert.equal(accountIn("[Service]\n"), undefined);
});

test("a credential is named only where there is one", () => {
  assert.doesNotMatch(unitText(), /LoadCredential/);
  const credential = { name: "seed", file: "/etc/credstore.encrypted/seed" };
  assert.match(unitText({ credential }), /^LoadCredentialEncrypted=seed:\/etc\/credstore\.encrypted\/seed$/m);
});
