import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sallyport } from "./test-run.ts";

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

test("every verb has a help that teaches with an example", () => {
  for (const verb of [
    ["enroll"],
    ["run"],
    ["status"],
    ["ready"],
    ["policy", "check"],
    ["policy", "test"],
    ["grant-script"],
    ["doctor"],
    ["firewall"],
    ["journal", "tail"],
    ["journal", "verify"],
    ["lock"],
    ["unlock"],
    ["drain"],
    ["mask-key", "show"],
    ["mask-key", "export"],
    ["mask-key", "import"],
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

test("a wrong command line is told as every error is: once, with what to do next, and as JSON", () => {
  assert.deepEqual(sallyport("policy", "test"), {
    status: 64,
    stdout: "",
    stderr: "sallyport: required option '--request <file>' not specified\n  Add --help to see how it goes.\n",
  });
  assert.match(sallyport("statsu").stderr, /^sallyport: unknown command 'statsu' \(Did you mean status\?\)\n/);
  const { status, stdout, stderr } = sallyport("status", "--colour", "--json");
  assert.deepEqual([status, stderr], [64, ""]);
  assert.match(stdout, /^\{"error":\{"message":"unknown option '--colour'/);
});

test("version, also as JSON", () => {
  assert.match(sallyport("version").stdout, /^sallyport [0-9.]+ \(Node\.js v24/);
  assert.ok("version" in (JSON.parse(sallyport("version", "--json").stdout) as object));
});

test("policy check counts what it found; a broken one is 65 with its line", () => {
  assert.match(sallyport("policy", "check", "--state", folder).stdout, /is valid: 1 connection, 1 rule,/);
  const broken = join(folder, "broken.yaml");
  writeFileSync(broken, "v: 1\nconnections: {}\nallowEverything: true\n");
  const { status, stderr } = sallyport("policy", "check", broken);
  assert.equal(status, 65);
  assert.match(stderr, /line 3.*allowEverything/);
});

test("policy test: allowed is 0 and names the rule, denied is 1 and names the code", () => {
  const ask = (table: string) => {
    const file = join(folder, "request.yaml");
    writeFileSync(file, `connection: erp\nlogin: svc\noperation: { op: sql.table, table: ${table}, columns: "*" }\n`);
    return sallyport("policy", "test", "--state", folder, "--request", file);
  };
  assert.deepEqual(ask("dbo.Orders"), { status: 0, stdout: "allowed by rule orders\n", stderr: "" });
  const denied = ask("hr.Salaries");
  assert.equal(denied.status, 1);
  assert.match(denied.stdout, /^policy\.denied: /);
});

test("policy test answers about every operation that a policy decides", () => {
  const policy = join(folder, "all.yaml");
  writeFileSync(policy, EVERY_OPERATION);
  const ask = (operation: object) => {
    const file = join(folder, "operation.json");
    writeFileSync(file, JSON.stringify({ connection: "erp", user: "svc", operation }));
    const { status, stdout, stderr } = sallyport("policy", "test", policy, "--request", file);
    return `${status} ${stdout}${stderr}`;
  };
  const rows = { table: "dbo.Orders", columns: ["Id"] };
  assert.equal(ask({ op: "sql.table", ...rows }), "0 allowed by rule read\n");
  assert.equal(ask({ op: "sql.changes", by: "cdc", ...rows }), "0 allowed by rule read\n");
  assert.equal(ask({ op: "sql.schema" }), "0 allowed by rule read\n");
  assert.equal(ask({ op: "sql.query", statement: "open" }), "0 allowed by rule open\n");
  assert.equal(ask({ op: "sql.write", action: "insert", ...rows }), "0 allowed by rule add\n");
  assert.equal(ask({ op: "sql.call", procedure: "dbo.Close", parameters: { id: 1 } }), "0 allowed by rule close\n");
  assert.match(ask({ op: "sql.write", action: "delete", ...rows }), /^1 policy\.denied: /);
  assert.match(ask({ op: "agent.ping" }), /^64 /);
});

const EVERY_OPERATION = `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: read, allow: [table, changes, schema], tables: [dbo.Orders], columns: "*" }
      - { id: open, allow: [statement], name: open, sql: SELECT 1 AS One, parameters: {}, returns: [One] }
      - { id: add, allow: [insert], tables: [dbo.Orders], columns: [Id] }
      - { id: close, allow: [call], procedure: dbo.Close, parameters: { id: int }, returns: [], effect: write }
`;

test("grant-script prints T-SQL for a login of the policy, and for no other", () => {
  const ask = (...args: string[]) => sallyport("grant-script", "--state", folder, ...args);
  const { status, stdout } = ask("--connection", "erp");
  assert.equal(status, 0);
  assert.match(stdout, /^GRANT SELECT ON OBJECT::\[dbo\]\.\[Orders\] TO \[svc\];$/m);
  assert.match(ask("--connection", "erp", "--revoke").stdout, /^REVOKE SELECT .* FROM \[svc\];$/m);
  assert.match(ask("--connection", "erp", "--sessions", "--json").stdout, /^\{"sql":".*sallyport\/erp/);
  for (const wrong of [
    ["erp", "--login", "sa"],
    ["erp", "--login", "SVC"],
    ["toString"],
    ["erp", "--revoke", "--sessions"],
  ]) {
    assert.equal(ask("--connection", ...wrong).status, 64, wrong.join(" "));
  }
});

test("doctor of one connection: a table, advice and a code of its own, without an agent", () => {
  const state = mkdtempSync(join(folder, "doctor-"));
  writeFileSync(join(state, "policy.yaml"), EVERY_OPERATION.replace("sql01.corp.example", "no-such-host.invalid"));
  const { status, stdout } = sallyport("doctor", "--state", state, "--connection", "erp");
  assert.equal(status, 2);
  const advice = /\nerp +Is no-such-host\.invalid right .*\n +docs\/checks\/connection\.md of the repository\n/;
  assert.match(stdout, /^erp +no-such-host\.invalid:1433 +FAIL +DNS: .*$/m);
  assert.match(stdout, advice);
  assert.match(stdout, /1 failed, 0 warnings, 0 ok {3}\(exit 2\)\n$/);
  const json = sallyport("doctor", "--state", state, "--connection", "erp", "--json");
  assert.match(json.stdout, /^\{"exit":2,"findings":\[\{"check":"connection","component":"erp",/);
  assert.equal(sallyport("doctor", "--state", state, "--connection", "other").status, 64);
});

test("doctor of everything needs an agent: 78 and what to do", () => {
  const { status, stderr } = sallyport("doctor", "--state", folder);
  assert.equal(status, 78);
  assert.match(stderr, /agent\.yaml cannot be read: enrol first/);
});

test("firewall before enrolment names what is known, and the domain of what is not", () => {
  const origin = ["--origin", "https://sallyport-contoso.azurewebsites.net"];
  const { status, stdout } = sallyport("firewall", "--state", folder, ...origin);
  assert.equal(status, 0);
  assert.match(stdout, /^sallyport-contoso\.azurewebsites\.net +443\/tcp +HTTPS +supervisor +the orchestrator/m);
  assert.match(stdout, /^\*\.servicebus\.windows\.net +443\/tcp +HTTPS, WebSocket +executor +the relay's gateways/m);
  assert.match(stdout, /^ {2}- any connection inwards/m);
  const proxied = sallyport("firewall", ...origin, "--proxy", "http://proxy.corp.example:3128", "--json");
  const { openings } = JSON.parse(proxied.stdout) as { openings: { to: string; port: number; by: string }[] };
  assert.deepEqual(openings.map(({ to, port, by }) => `${to}:${port} ${by}`).slice(0, 2), [
    "proxy.corp.example:3128 both",
    "sallyport-contoso.azurewebsites.net:443 the proxy",
  ]);
  assert.equal(sallyport("firewall", "--state", folder).status, 64);
  assert.equal(sallyport("firewall", "--origin", "http://localhost").status, 64);
});

test("status of a folder without an agent is 1", () => {
  assert.deepEqual(sallyport("status", "--state", folder, "--json"), {
    status: 1,
    stdout: '{"live":false}\n',
    stderr: "",
  });
});

test("ready of a folder without an agent is 1 and says why", () => {
  assert.deepEqual(sallyport("ready", "--state", folder), {
    status: 1,
    stdout: `not ready: no agent has run on ${folder}\n`,
    stderr: "",
  });
});

for (const verb of [["tail"], ["tail", "--json"], ["verify"]]) {
  test(`journal ${verb.join(" ")} without a journal is 78 and says what to do`, () => {
    const { status, stdout, stderr } = sallyport("journal", ...verb, "--state", folder);
    assert.equal(status, 78);
    assert.match(stdout + stderr, /has no journal: enrol first .*--state/);
  });
}

test("run takes the agent's folder like every other verb, and not two of them", () => {
  const missing = sallyport("run", "--state", folder);
  assert.equal(missing.status, 78);
  assert.match(missing.stderr, /agent\.yaml cannot be read: enrol first .*--state/);
  assert.equal(sallyport("run", "--state", folder, "--config", join(folder, "agent.yaml")).status, 64);
  const agent = `agent: ${"a".repeat(32)}\ntenant: contoso\nsite: oslo\n`;
  writeFileSync(join(folder, "agent.yaml"), `v: 1\norigin: https://localhost\n${agent}stateDir: /elsewhere\n`);
  const moved = sallyport("run", "--state", folder);
  assert.equal(moved.status, 78);
  assert.match(moved.stderr, /says `stateDir: \/elsewhere`/);
});

test("a secret on the command line is 64 whatever the verb, and not repeated", () => {
  const code = "ABCD-1234.ABCD-1234-ABCD-1234-ABCD-1";
  for (const args of [
    ["enroll", "--code", code],
    ["status", "--password=s3cret-word"],
    ["policy", "check", "--token", "s3cret-word"],
    ["doctor", code.toLowerCase()],
    ["journal", "tail", `sp_ops_${"s3cret-word".repeat(4).slice(0, 43)}`],
    ["firewall", "--proxy=http://jane:s3cret-word@proxy:3128"],
    ["status", "--passphrase", "s3cret-word", "--json"],
  ]) {
    const { status, stdout, stderr } = sallyport(...args);
    assert.equal(status, 64, args.join(" "));
    assert.match(stdout + stderr, /command line/);
    assert.doesNotMatch(stdout + stderr, /s3cret-word|abcd-1234/i, args.join(" "));
  }
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
