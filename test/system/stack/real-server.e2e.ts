/**
 * `SALLYPORT_MSSQL=… npm start` against a SQL Server that is not ours: the TDS emulator stands in for a stranger's, with an
 * authority, logins and tables of its own.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import type { DemoResult } from "../../stack/demo.ts";
import { heldBy } from "./process-tree.ts";

const MAIN = fileURLToPath(new URL("../../stack/main.ts", import.meta.url));
const ROWS = 2000;
const CHANGED = 1000;
const LOGINS = [
  { name: "sa", password: "S:a/@ %41-mark", rights: "sysadmin" },
  { name: "owner", password: "Owner-mark-1", rights: "owner" },
  { name: "reader", password: "Reader-mark-1", rights: "read" },
] as const;

describe("npm start on a real SQL Server", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-real-"));
  const caFile = join(folder, "stranger.pem");
  let server: Tds;
  before(async () => {
    const authority = await makeAuthority();
    writeFileSync(caFile, authority.caPem);
    const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
    server = await startTds({ tls, logins: LOGINS, databases: ["Theirs"] });
    await server.sql(
      "CREATE TABLE dbo.Flights (Id int PRIMARY KEY); INSERT INTO dbo.Flights VALUES (1); CREATE SCHEMA sales",
    );
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const addressOf = ({ name, password }: { name: string; password: string }, query = "", database = "Theirs") =>
    `mssql://${name}:${encodeURIComponent(password)}@localhost:${server.port}/${database}${query}`;

  function begin(t: TestContext, address: string, environment: Record<string, string> = {}) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, "--once", "--json"], {
      env: {
        PATH: process.env.PATH,
        TMPDIR: folder,
        SALLYPORT_DEMO_ROWS: String(ROWS),
        SALLYPORT_MSSQL: address,
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    t.after(() => void child.kill("SIGKILL"));
    const out: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => out.push(line));
    const stderr = text(child.stderr);
    const ended = once(child, "close").then(async ([code]) => ({ code: code as number, out, stderr: await stderr }));
    return { child, ended };
  }

  async function assertUntouched(): Promise<void> {
    const { rows: schemas } = await server.sql("SELECT name FROM sys.schemas WHERE schema_id > 4");
    assert.deepEqual(schemas, [{ name: "sales" }]);
    const { rows: tables } = await server.sql("SELECT name FROM sys.tables");
    assert.deepEqual(tables, [{ name: "Flights" }]);
    assert.deepEqual((await server.sql("SELECT Id FROM dbo.Flights")).rows, [{ Id: 1 }]);
    assert.deepEqual(server.logins(), ["sa", "owner", "reader"]);
    assert.deepEqual(server.users(), []);
  }

  /** A password is in none of a folder's files. */
  function assertNowhere(within: string, password: string): void {
    const files = readdirSync(within, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.ok(files.length > 10);
    for (const file of files) {
      const content = readFileSync(join(file.parentPath, file.name));
      assert.ok(!content.includes(password), `${file.name} holds the password`);
    }
  }

  it("makes a schema and a login that reads it, pulls from there, and leaves nothing", async (t) => {
    const { ended } = begin(t, addressOf(LOGINS[0]), { NODE_EXTRA_CA_CERTS: caFile });
    const { code, out, stderr } = await ended;
    assert.deepEqual([code, stderr], [0, ""]);
    const result = JSON.parse(out.at(-1)!) as DemoResult;
    assert.deepEqual(
      result.runs.map(({ rows }) => rows),
      [ROWS, CHANGED],
    );
    const journal = readFileSync(result.journal, "utf8");
    assert.match(journal, /sallyport_demo\.Flights/);
    const readers = server.log.filter((entry) => entry.kind === "login" && entry.application === "sallyport/erp");
    assert.ok(readers.length >= 2);
    for (const entry of readers) {
      assert.ok(entry.kind === "login" && entry.encrypted);
      assert.match(entry.login, /^sallyport_demo_[0-9a-f]{8}$/);
    }
    assertNowhere(join(result.journal, "../../.."), LOGINS[0].password);
    await assertUntouched();
  });

  it("reads with the given login where it may make none, and trusts any certificate when told to", async (t) => {
    const { ended } = begin(t, addressOf(LOGINS[1], "?encrypt=true&trustServerCertificate=true"));
    const { code, out, stderr } = await ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal((JSON.parse(out.at(-1)!) as DemoResult).rows, ROWS);
    await assertUntouched();
  });

  it("stops without the right, and prints the SQL that grants it", async (t) => {
    const { ended } = begin(t, addressOf(LOGINS[2]), { NODE_EXTRA_CA_CERTS: caFile });
    const { code, stderr } = await ended;
    assert.equal(code, 1);
    assert.match(stderr, /^sql\.permission: /);
    assert.match(
      stderr,
      /USE \[Theirs\];\n {2}GRANT CREATE SCHEMA TO \[reader\];\n {2}GRANT CREATE TABLE TO \[reader\];/,
    );
    assert.ok(!stderr.includes(LOGINS[2].password));
    await assertUntouched();
  });

  it("drops everything on Ctrl-C, too, while the sample is filled and in the middle of a row", async (t) => {
    const whenFilled = (log: Tds["log"]) => log.some((entry) => entry.kind === "bulk");
    const whenRead = (log: Tds["log"]) =>
      log.some((entry) => "text" in entry && /SELECT .*FROM \[?sallyport_demo\]?\.\[?Flights/is.test(entry.text));
    const stop = server.faults.add({ kind: "stallInRow", afterRows: 10 }, { statement: /FROM \[?sallyport_demo/i });
    t.after(stop);
    for (const [moment, rows] of [
      [whenFilled, 500_000],
      [whenRead, ROWS],
    ] as const) {
      const before = server.log.length;
      const environment = { NODE_EXTRA_CA_CERTS: caFile, SALLYPORT_DEMO_ROWS: String(rows) };
      const { child, ended } = begin(t, addressOf(LOGINS[0]), environment);
      await Promise.race([untilLogged(() => moment(server.log.slice(before))), ended]);
      assertNotInherited(child.pid!);
      child.kill("SIGINT");
      const { code, stderr } = await ended;
      assert.deepEqual([code, stderr], [130, ""]);
      await assertUntouched();
    }
  });

  it("refuses a schema of that name which is there, and leaves it alone", async (t) => {
    await server.sql("CREATE SCHEMA sallyport_demo");
    await server.sql("CREATE TABLE sallyport_demo.Flights (Id int)");
    const { ended } = begin(t, addressOf(LOGINS[0]), { NODE_EXTRA_CA_CERTS: caFile });
    const { code, stderr } = await ended;
    assert.equal(code, 1);
    assert.match(stderr, /sallyport_demo exists in Theirs[\s\S]*DROP SCHEMA \[sallyport_demo\];/);
    await server.sql("DROP TABLE sallyport_demo.Flights");
    await server.sql("DROP SCHEMA sallyport_demo");
    await assertUntouched();
  });

  it("says what is wrong with the server by its code, and never prints the password", async (t) => {
    const extra = { NODE_EXTRA_CA_CERTS: caFile };
    const wrong = { name: "sa", password: "wrong-mark" };
    const cases = [
      [addressOf(LOGINS[0]), {}, 1, /^connection\.tls: /],
      [addressOf(wrong), extra, 1, /^connection\.login_failed: /],
      [addressOf(LOGINS[0], "", "Nowhere"), extra, 1, /^connection\./],
      [addressOf(LOGINS[0], "?encrypt=false"), extra, 64, /encrypt is true or strict/],
    ] as const;
    for (const [address, environment, exitCode, message] of cases) {
      const { code, stderr } = await begin(t, address, environment).ended;
      assert.equal(code, exitCode, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /mark/);
    }
    await assertUntouched();
  });
});

/** The address is in the environment of no process that `npm start` has started. */
function assertNotInherited(pid: number): void {
  const started = [...heldBy(pid).processes].map((key) => key.split("@")[0]!).filter((each) => each !== String(pid));
  assert.ok(started.length >= 3);
  for (const each of started) {
    assert.doesNotMatch(readFileSync(`/proc/${each}/environ`, "utf8"), /SALLYPORT_MSSQL|mssql:/);
    assert.doesNotMatch(readFileSync(`/proc/${each}/cmdline`, "utf8"), /mark/);
  }
}

/** The server tells nobody what it logs, so it is looked for. */
async function untilLogged(seen: () => boolean): Promise<void> {
  while (!seen()) await pause(10);
}
