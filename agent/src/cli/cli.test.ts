import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-cli-"));
  writeFileSync(
    join(folder, "policy.yaml"),
    `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`,
  );
});
after(() => rmSync(folder, { recursive: true, force: true }));

const sallyport = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", MAIN, ...args],
    {
      encoding: "utf8",
    },
  );
  return { status, stdout, stderr };
};

test("every verb has a help that teaches with an example", () => {
  for (const verb of [
    ["enroll"],
    ["run"],
    ["status"],
    ["policy", "check"],
    ["policy", "test"],
    ["journal", "tail"],
    ["journal", "verify"],
    ["version"],
  ]) {
    const { status, stdout } = sallyport(...verb, "--help");
    assert.equal(status, 0);
    assert.match(stdout, /Example:\n/, verb.join(" "));
  }
});

for (const args of [["conquer"], ["status", "--colour"], ["policy", "test"], ["journal", "tail", "-n", "many"], []]) {
  test(`usage: sallyport ${args.join(" ")} is 64`, () => assert.equal(sallyport(...args).status, 64));
}

test("version, also as JSON", () => {
  assert.match(sallyport("version").stdout, /^sallyport [0-9.]+ \(Node\.js v24/);
  assert.ok("version" in (JSON.parse(sallyport("version", "--json").stdout) as object));
});

test("policy check counts what it found; a broken one is 65 with its line", () => {
  assert.match(sallyport("policy", "check", "--state", folder).stdout, /is valid: 1 connections, 1 rules/);
  const broken = join(folder, "broken.yaml");
  writeFileSync(broken, "v: 1\nconnections: {}\nallowEverything: true\n");
  const { status, stderr } = sallyport("policy", "check", broken);
  assert.equal(status, 65);
  assert.match(stderr, /line 3.*allowEverything/);
});

test("policy test: allowed is 0 and names the rule, denied is 1 and names the code", () => {
  const ask = (table: string) => {
    const file = join(folder, "request.yaml");
    writeFileSync(file, `connection: erp\nuser: svc\noperation: { op: sql.table, table: ${table}, columns: "*" }\n`);
    return sallyport("policy", "test", "--state", folder, "--request", file);
  };
  assert.deepEqual(ask("dbo.Orders"), { status: 0, stdout: "allowed by rule orders\n", stderr: "" });
  const denied = ask("hr.Salaries");
  assert.equal(denied.status, 1);
  assert.match(denied.stdout, /^policy\.denied: /);
});

test("status of a folder without an agent is 1", () => {
  assert.deepEqual(sallyport("status", "--state", folder, "--json"), {
    status: 1,
    stdout: '{"live":false}\n',
    stderr: "",
  });
});

test("a proxy's password on the command line is 64, not repeated, and told where it belongs", () => {
  for (const proxy of ["http://jane:s3cret-word@proxy:3128", "http://s3cret-word@proxy:3128"]) {
    const origin = ["--origin", "https://localhost:1", "--code-file", join(folder, "none")];
    const { status, stdout, stderr } = sallyport("enroll", ...origin, "--proxy", proxy);
    assert.equal(status, 64);
    assert.match(stderr, /agent\.yaml/);
    assert.doesNotMatch(stdout + stderr, /s3cret-word/);
  }
});
