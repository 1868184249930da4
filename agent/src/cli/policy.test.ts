/** The verbs of `sallyport policy` as somebody types them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startLdap } from "../../../test/emulators/ldap/start.ts";
import { startTds } from "../../../test/emulators/tds/start.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { openJournal } from "../journal/journal.ts";
import { parsePolicy } from "../policy/file.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-policy-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function run(args: readonly string[], stdin = "") {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, "policy", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk) => {
      texts[name] += chunk;
    });
  }
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const [status] = (await once(child, "close")) as [number | null];
  return { status, ...texts };
}

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

test("init writes what denies everything, then a first connection, and never over one that is there", async () => {
  const path = join(folder, "new.yaml");
  assert.equal((await run(["init", path])).status, 0);
  assert.deepEqual(parsePolicy(readFileSync(path, "utf8")).connections, {});
  const words = ["--mssql", "sql01.corp.example:1433/ERP", "--tables", "dbo.Orders", "archive.*"];
  const made = await run(["init", path, ...words]);
  assert.match(made.stdout, /^Written {2}.*new\.yaml \(one connection, erp\)\nNext /);
  const { erp } = parsePolicy(readFileSync(path, "utf8")).connections;
  assert.deepEqual([erp?.address, erp?.kind === "mssql" && erp.database], ["sql01.corp.example:1433", "ERP"]);
  assert.deepEqual(erp?.rules, [{ id: "first", allow: ["table"], tables: ["dbo.Orders", "archive.*"], columns: "*" }]);
  const again = await run(["init", path]);
  assert.equal(again.status, 78);
  assert.match(again.stderr, /has connections/);
  assert.ok(parsePolicy(readFileSync(path, "utf8")).connections.erp);
});

for (const [words, why] of [
  [["--tables", "dbo.T"], /goes with --mssql/],
  [["--mssql", "sql01:1433"], /HOST:PORT\/DATABASE/],
  [["--mssql", "sql01:1433/ERP"], /needs --tables/],
  [["--mssql", "sql01:1433/ERP", "--tables", "*"], /no valid policy.*schema\.table/],
  [["--mssql", "*.corp:1433/ERP", "--tables", "dbo.T"], /without wildcards/],
] as const) {
  test(`init ${words.join(" ")} is 64, and writes nothing`, async () => {
    const path = join(folder, "none.yaml");
    const { status, stderr } = await run(["init", path, ...words]);
    assert.equal(status, 64);
    assert.match(stderr, why);
    assert.equal(existsSync(path), false);
  });
}

const POLICY = (address: string) => `v: 1
connections:
  erp:
    kind: mssql
    address: ${address}
    database: ERP
    tls: { mode: required, ca: ca.pem }
    logins: [svc]
    rules:
      - { id: people, allow: [table], tables: [dbo.People], columns: [Id, Email], mask: { Email: hash } }
      - { id: again, allow: [table], tables: ["dbo.Peop*"], columns: [Id, Email] }
`;

test("check tells every mistake at once with its line, and notes of what is valid", async () => {
  const bad = file("bad.yaml", POLICY("sql").replace("[table]", "[tabel]").replace("Email: hash", "Phone: hash"));
  const refused = await run(["check", bad]);
  assert.equal(refused.status, 65);
  for (const line of [/^line 5, .*host:port/m, /^line 10, .*`tabel` is not one of/m, /^line 10, .*Phone: not one/m]) {
    assert.match(refused.stderr, line);
  }
  const { status, stdout } = await run(["check", file("good.yaml", POLICY("sql:1433"))]);
  assert.equal(status, 0);
  assert.match(stdout, /1 connection, 2 rules.*\nline 11, .*tables: Email leaves in another way by people/);
  const told = JSON.parse((await run(["check", "--json", file("good.yaml", POLICY("sql:1433"))])).stdout) as {
    notes: { line: number }[];
  };
  assert.deepEqual(
    told.notes.map(({ line }) => line),
    [11],
  );
});

test("check --online names the views that read a masked table; the password comes by the standard input only", async (t) => {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const server = await startTds({
    tls,
    logins: [{ name: "svc", password: "Reader-1", rights: "read" }],
    databases: ["ERP"],
  });
  t.after(() => server.close());
  await server.sql("CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email nvarchar(40) NULL)");
  await server.sql("CREATE VIEW dbo.Mails AS SELECT Email FROM dbo.People");
  file("ca.pem", authority.caPem);
  const path = file("online.yaml", POLICY(`localhost:${server.port}`));
  const { status, stdout, stderr } = await run(["check", path, "--online"], "Reader-1\n");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^connection erp: view dbo\.Mails reads dbo\.People, and no mask follows$/m);
  const wrong = await run(["check", path, "--online"], "Another-1\n");
  assert.equal(wrong.status, 77);
  assert.match(wrong.stderr, /connection\.login_failed/);
  assert.equal((await run(["check", path, "--online", "--login", "sa"], "x\n")).status, 64);
  assert.equal((await run(["check", path, "--online"], "")).status, 64);
});

test("check --online looks whether what a directory's rules name is there, with one sign-in", async (t) => {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"] });
  const account = { dn: "CN=svc,DC=x", principal: "svc@x", name: "X\\svc", password: "Reader-1" };
  const ldap = await startLdap({ domain: "DC=x", tls, accounts: [account] });
  t.after(() => ldap.close());
  file("ca.pem", authority.caPem);
  const text = `v: 1
connections:
  corp:
    kind: activeDirectory
    address: localhost:${ldap.ldapsPort}
    tls: { mode: required, ca: ca.pem }
    logins: [svc@x]
    refuseOverPrivileged: false
    rules:
      - { id: staff, allow: [search], bases: ["DC=x", "OU=Gone,DC=x"], classes: [user], attributes: [mail, shoeSize] }
`;
  const { status, stdout, stderr } = await run(["check", file("corp.yaml", text), "--online"], "Reader-1\n");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^connection corp: sign-in: ok, dc1\.x of DC=x, clock /m);
  assert.match(stdout, /^connection corp: staff: warn, not there, .*: base OU=Gone,DC=x, attribute shoeSize$/m);
  const wrong = await run(["check", file("corp.yaml", text), "--online"], "Another-1\n");
  assert.match(wrong.stdout, /^connection corp: sign-in: FAIL, .*\(connection\.login_failed\)$/m);
  assert.equal(ldap.log.filter(({ event }) => event === "bind").length, 2);
});

test("test says which rule was near and what it lacks, and what leaves masked", async () => {
  const path = file("asked.yaml", POLICY("sql:1433"));
  const ask = (columns: string, more = "") => {
    const request = `connection: erp\nuser: svc\noperation: { op: sql.table, table: dbo.People, columns: ${columns}${more} }\n`;
    return run(["test", path, "--request", file("request.yaml", request)]);
  };
  assert.deepEqual(await ask("[Phone]"), {
    status: 1,
    stdout:
      "policy.denied: No rule allows reading these columns of dbo.People.\nrule people does not list Phone\nrule again does not list Phone\n",
    stderr: "",
  });
  assert.match((await ask("[Email]")).stdout, /^policy\.ambiguous: /);
  assert.deepEqual((await ask("[Id]")).stdout, "allowed by rule people\nmasked: Email\n");
});

test("suggest prints rules for what the journal says was denied, and writes nothing", async () => {
  const state = mkdtempSync(join(folder, "state-"));
  const path = join(state, "policy.yaml");
  writeFileSync(path, POLICY("sql:1433"));
  assert.equal((await run(["suggest", "--state", state])).status, 78);
  mkdirSync(join(state, "journal"));
  const journal = openJournal(join(state, "journal"), { maxBytes: 1e9, maxDays: 400 });
  const denial = {
    event: "request",
    decision: "deny",
    code: "policy.denied",
    connection: "erp",
    reported: true,
  } as const;
  const id = (digit: string): string => digit.repeat(32);
  journal.append({
    ...denial,
    ...{
      request: id("1"),
      caller: "key:sp_erp",
      op: "sql.table",
      object: "dbo.Products",
      asked: ["ProductId", "Name"],
    },
  });
  journal.append({ ...denial, request: id("2"), caller: "key:sp_erp", op: "sql.query" });
  journal.close();
  const { status, stdout } = await run(["suggest", "--state", state]);
  assert.equal(status, 0);
  const lines = stdout.split("\n");
  assert.equal(
    lines[0],
    "2 denials by 1 caller (key:sp_erp). Read before you paste: this is what was asked for, not what is needed.",
  );
  assert.match(lines[1] ?? "", /^# connection erp: asked 1 time, last .*, request 1{32}$/);
  assert.match(stdout, /\n {6}- id: suggested-1\n {8}allow: \[table\]\n {8}tables: \[dbo\.Products\]\n/);
  assert.match(
    stdout,
    /\n# not suggested: 1 x raw SQL or a statement \(needs a named statement\), 0 x password set\n$/,
  );
  assert.equal(readFileSync(path, "utf8"), POLICY("sql:1433"));
  assert.equal((await run(["suggest", "--state", state, "--since", "yesterday"])).status, 64);
});

test("each verb teaches with an example", async () => {
  for (const verb of ["init", "check", "test", "suggest"]) {
    const { status, stdout } = await run([verb, "--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /Example:\n/, verb);
  }
});
