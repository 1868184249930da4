import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { sallyport } from "./test-run.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-status-"));
  const rule = '{ id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }';
  const connection = `{ kind: mssql, address: "sql01:1433", database: ERP, tls: { mode: required }, logins: [svc], rules: [${rule}] }`;
  writeFileSync(join(folder, "policy.yaml"), `v: 1\nconnections: { erp: ${connection} }\n`);
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("what the agent wrote last", () => {
  const write = (over: Record<string, unknown> = {}) => {
    const at = new Date().toISOString();
    const status = {
      ...{
        v: 1,
        at,
        pid: process.pid,
        startedAt: at,
        version: "0.1.0",
        account: "svc",
        agent: "a",
        tenant: "Contoso",
        site: "Oslo",
      },
      ...{ fingerprint: "SHA256:x", ready: true, notReady: null, locked: false, draining: false },
      channel: { state: "online", since: new Date(Date.now() - 11_520_000).toISOString() },
      token: {
        state: "valid",
        renewedAt: at,
        expiresAt: new Date(Date.now() + 1_140_000).toISOString(),
        offsetMs: 300,
      },
      canary: { heardAt: at, canaryAt: new Date(Date.now() - 41_000).toISOString(), missed: 2 },
      policy: { digest: "p".repeat(43), connections: 1, rules: 9, problem: null },
      ...{ sessions: { running: 1, most: 4, served: 20 }, journal: { seq: 10_442, hash: "h".repeat(43) } },
      ...over,
    };
    mkdirSync(join(folder, "run"), { recursive: true });
    writeFileSync(join(folder, "run", "status.json"), JSON.stringify(status));
  };

  test("is ready, and shown for people", () => {
    write();
    assert.deepEqual(sallyport("ready", "--state", folder), { status: 0, stdout: "ready\n", stderr: "" });
    const { status, stdout } = sallyport("status", "--state", folder);
    assert.equal(status, 0);
    assert.match(stdout, /^a \(Oslo, Contoso\) {2}0\.1\.0 {2}pid \d+ {2}svc$/m);
    const ready =
      /^READY +yes {3}control channel 3 h 12 m, last canary 4\d s ago, a request \d s ago, 2 sent and not arrived$/m;
    assert.match(stdout, ready);
    assert.match(stdout, /^LOCKED +no$/m);
    assert.match(stdout, /^TOKEN +renewed \d s ago, expires in 1[89] m +CLOCK {2}\+0\.3 s$/m);
    // Rules are counted in the file, which is another here than the agent says.
    assert.match(stdout, /^POLICY +sha256:p+ {2}1 connection, 1 rule$/m);
    assert.match(stdout, /^TODAY +the journal cannot be read by this account$/m);
    assert.match(stdout, /^JOURNAL +line 10,442, reported \d s ago$/m);
  });

  test("is shown with the journal's copy, where there is one", () => {
    write();
    assert.doesNotMatch(sallyport("status", "--state", folder).stdout, /SYSLOG/);
    write({ syslog: { connected: false, waiting: 12, dropped: 1 } });
    const { stdout } = sallyport("status", "--state", folder);
    assert.match(stdout, /^SYSLOG +not connected, 12 lines waiting, 1 line lost$/m);
  });

  test("is shown without what a terminal would obey: names are the orchestrator's", () => {
    write({ site: "Oslo\u001b[2A\rKEYS  SHA256:forged", tenant: "C\u009b2J\u202e\n" });
    const { stdout } = sallyport("status", "--state", folder);
    assert.match(stdout, /^a \(Oslo\?\[2A\?KEYS {2}SHA256:forged, C\?2J\?\?\) /);
    const { stdout: json } = sallyport("status", "--state", folder, "--json");
    assert.doesNotMatch(json.trimEnd(), /[\p{Cc}\u202e]/u);
    assert.equal((JSON.parse(json) as { tenant: string }).tenant, "C\u009b2J\u202e\n");
  });

  test("is shown with each mistake of a policy that is not in force on a line", () => {
    const problem = "The policy has 2 mistake(s):\nline 1: a\nline 2: b";
    write({ policy: { digest: "p".repeat(43), connections: 1, rules: 9, problem } });
    assert.match(sallyport("status", "--state", folder).stdout, /mistake\(s\):\nline 1: a\nline 2: b\n$/);
  });

  test("calls a policy that the agent's account could have written not taken, for it may be valid", () => {
    const problem = "this account can change /etc/policy.yaml: let another account own it";
    write({ policy: { digest: "p".repeat(43), connections: 1, rules: 9, problem } });
    const { stdout } = sallyport("status", "--state", folder);
    assert.match(stdout, /has changed and is not taken, .*: this account can change/);
    assert.doesNotMatch(stdout, /not valid/);
  });

  test("is not ready, with the reason", () => {
    write({ ready: false, notReady: "locked by the owner (control/lock); draining" });
    const { status, stdout } = sallyport("ready", "--state", folder, "--json");
    assert.equal(status, 1);
    assert.deepEqual(JSON.parse(stdout), { ready: false, why: "locked by the owner (control/lock); draining" });
  });

  test("is too old, or not of an agent that runs: not ready", () => {
    for (const over of [{ at: new Date(Date.now() - 21_000).toISOString() }, { pid: 2 ** 22 + 1 }]) {
      write(over);
      const { status, stdout } = sallyport("ready", "--state", folder);
      assert.equal(status, 1);
      assert.match(stdout, /^not ready: the agent that ran on .* says nothing since /);
    }
  });

  test("is of another version, or torn: as if none had run", () => {
    for (const text of ["{", '{"v":2}']) {
      writeFileSync(join(folder, "run", "status.json"), text);
      assert.equal(sallyport("ready", "--state", folder).status, 1);
      assert.equal(sallyport("status", "--state", folder).status, 1);
    }
  });

  test("names what is wrong with a policy that is not in force", () => {
    write({ policy: { digest: "p".repeat(43), connections: 1, rules: 9, problem: "line 3: unknown key" } });
    assert.match(sallyport("status", "--state", folder).stdout, /policy above stays in force: line 3: unknown key/);
  });
});
