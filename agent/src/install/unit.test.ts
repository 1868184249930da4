import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EXIT } from "../cli/exit.ts";
import { UNIT } from "./layout.ts";
import { accountIn, unitText } from "./unit.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-unit-"));
after(() => rmSync(folder, { recursive: true }));

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

const analyze = (...args: string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8", timeout: 60_000 });
const isThere = analyze("--version").status === 0;

test("systemd finds nothing wrong with it, and calls it exposed to 2.5 at most", {
  skip: !isThere && "needs systemd-analyze",
}, () => {
  const file = join(folder, UNIT);
  // The program does not lie here; all else is as it is installed.
  writeFileSync(file, unitText({ account: "root" }).replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
  const verified = analyze("verify", "--man=no", file);
  assert.deepEqual([verified.status, verified.stderr], [0, ""]);
  writeFileSync(file, unitText());
  const judged = analyze("security", "--offline=true", "--no-pager", "--threshold=25", file);
  assert.equal(judged.status, 0, judged.stdout + judged.stderr);
});
