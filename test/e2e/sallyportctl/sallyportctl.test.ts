/** Each verb of `sallyportctl` against the real function app, its outputs compared with what is stored beside this file. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { fillSample } from "../../stack/sample.ts";
import { CONNECTION, SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { type Environment, type Ran, runCtl, startCtl } from "./run.ts";
import { stored, Transcript } from "./transcript.ts";

const FLIGHTS = 2000;

describe("sallyportctl", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-ctl-"));
  const file = (name: string, content: string, mode = 0o600) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  let stack: Stack;
  let environment: Environment;
  const ctl = (args: readonly string[], more: Environment = {}, input = ""): Promise<Ran> =>
    runCtl(args, { ...environment, ...more }, input);
  const definePull = (id: string, table: string) =>
    stack.api.post(`/tenants/${TENANT}/pulls`, {
      id,
      definition: {
        connection: CONNECTION,
        operation: { op: "sql.table", table, columns: "*" },
        watermark: "rowversion",
        schedule: { cron: "0 2 1 1 *", timezone: "Europe/Oslo" },
      },
    });
  /** Runs what is given and compares all of it with the stored file. */
  const session = async (name: string, steps: readonly (readonly string[])[]): Promise<Ran[]> => {
    const transcript = new Transcript();
    const all: Ran[] = [];
    for (const args of steps) {
      const ran = await ctl(args);
      transcript.add(
        args.map((arg) => arg.replaceAll(folder, "FOLDER")),
        {
          ...ran,
          stdout: ran.stdout.replaceAll(folder, "FOLDER"),
          stderr: ran.stderr.replaceAll(folder, "FOLDER"),
        },
      );
      all.push(ran);
    }
    assert.equal(transcript.text, stored(name, transcript.text));
    return all;
  };
  const runIds = async (pull: string): Promise<string[]> => {
    const { stdout } = await ctl(["runs", "list", pull, "--json"]);
    return (JSON.parse(stdout) as RunView[]).map(({ id }) => id);
  };

  before(async () => {
    // Where nobody listens, webhooks may lead.
    stack = await startStack({ folder, cleanup, settings: { SALLYPORT_WEBHOOK_NETWORKS: "127.0.0.0/8" } });
    cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
    environment = {
      SALLYPORT_URL: stack.origin,
      SALLYPORT_KEY_FILE: join(folder, "admin.key"),
      SALLYPORT_TENANT: TENANT,
      NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
    };
    await definePull("flights", "dbo.Flights");
    await definePull("missing", "dbo.Missing");
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("tenants, sites, codes and connections", async () => {
    await session("onboarding", [
      ["tenants", "create", "fabrikam", "--name", "Fabrikam & Søn"],
      ["tenants", "list"],
      ["tenants", "list", "--json"],
      ["sites", "list", "--tenant", "fabrikam"],
      ["sites", "create", "bergen", "--name", "Bergen", "--tenant", "fabrikam"],
      ["sites", "create", "bergen", "--name", "Another", "--tenant", "fabrikam"],
      ["sites", "list", "--tenant", "fabrikam"],
      ["sites", "list", "--tenant", "fabrikam", "--json"],
      ["codes", "create", "--site", "bergen", "--tenant", "fabrikam"],
      ["codes", "create", "--site", "nowhere", "--tenant", "fabrikam", "--json"],
      ["agents", "list", "--site", "bergen", "--tenant", "fabrikam"],
      ["connections", "list", "--tenant", "fabrikam"],
      ["connections", "create", "crm", "--site", "bergen", "--tenant", "fabrikam"],
      ["connections", "create", "crm", "--site", "bergen", "--kind", "oracle", "--tenant", "fabrikam"],
      ["connections", "list"],
      ["connections", "list", "--tenant", "fabrikam", "--json"],
    ]);
  });

  it("a credential comes from a file or through a pipe, and is not shown", async () => {
    const path = file("crm.password", "mark-4711-word\n");
    await session("credential", [
      ["connections", "credential", "crm", "--user", "svc", "--password-file", path, "--tenant", "fabrikam"],
      ["connections", "credential", "nothing", "--user", "svc", "--password-file", path, "--tenant", "fabrikam"],
      ["connections", "credential", "crm", "--user", "svc", "--tenant", "fabrikam"],
    ]);
    const piped = await ctl(
      ["connections", "credential", "crm", "--user", "svc", "--tenant", "fabrikam"],
      {},
      "word\n",
    );
    assert.deepEqual(piped, { exitCode: 0, stdout: "The credential of crm is stored.\n", stderr: "" });
    chmodSync(path, 0o644);
    const open = await ctl(["connections", "credential", "crm", "--user", "svc", "--password-file", path]);
    assert.equal(open.exitCode, 78);
    assert.match(open.stderr, /mode 0644: others may read a password\.\n {2}chmod 600 /);
  });

  it("agents: listed, approved by their fingerprint only, revoked", async () => {
    const { stdout } = await ctl(["agents", "list", "--site", SITE, "--json"]);
    const [{ id, fingerprint }] = JSON.parse(stdout) as [{ id: string; fingerprint: string }];
    const other = `SHA256:${"A".repeat(43)}`;
    const unknown = "0".repeat(32);
    const listed = await ctl(["agents", "list", "--site", SITE]);
    assert.match(listed.stdout, new RegExp(`^AGENT +STATUS +HOST .*\\n${id} +active .* ${fingerprint}\\n$`));
    await session("agents", [
      ["agents", "approve", id, "--site", SITE, "--fingerprint", fingerprint],
      ["agents", "approve", id, "--site", SITE, "--fingerprint", other],
      ["agents", "approve", id, "--site", SITE, "--fingerprint", "SHA256:short"],
      ["agents", "approve", unknown, "--site", SITE, "--fingerprint", other],
      ["agents", "revoke", id, "--site", SITE],
      ["agents", "revoke", unknown, "--site", SITE, "--yes"],
    ]);
  });

  it("keys: made for a tenant or for all, saved or shown, revoked", async () => {
    const save = join(folder, "watch.key");
    const ran = await session("keys", [
      ["keys", "create", "watch", "--scope", "runs:read", "--scope", "pulls:read", "--save", save],
      ["keys", "create", "watch-2", "--scope", "runs:read", "--save", save],
      ["keys", "create", "watch", "--scope", "runs:read"],
      ["keys", "create", "shown", "--scope", "runs:read", "--all-tenants", "--days", "7"],
      ["keys", "create", "json", "--scope", "runs:read", "--json"],
      ["keys", "create", "nothing", "--scope", "everything"],
      ["keys", "list"],
      ["keys", "list", "--json"],
      ["keys", "rotate", "shown", "--overlap-hours", "1"],
      ["keys", "create", "narrow", "--scope", "runs:read", "--only-pull", "flights", "--only-site", SITE],
      ["keys", "revoke", "shown"],
      ["keys", "revoke", "shown", "--yes"],
      ["keys", "revoke", "nobody", "--yes"],
      ["runs", "list", "flights", "--key-file", save],
      ["keys", "list", "--key-file", save],
    ]);
    assert.equal(statSync(save).mode & 0o777, 0o600);
    assert.match(ran[3]!.stdout, /^sp_shown_[A-Za-z0-9_-]{43}\n$/);
    const lost = join(folder, "lost.key");
    assert.equal((await ctl(["keys", "create", "watch", "--scope", "runs:read", "--save", lost])).exitCode, 1);
    assert.equal(existsSync(lost), false, "a key that was not made leaves no file");
  });

  it("pulls: listed, shown, paused, resumed, run and reset", async () => {
    await session("pulls", [
      ["pulls", "list"],
      ["pulls", "list", "--tenant", "fabrikam"],
      ["pulls", "show", "flights"],
      ["pulls", "pause", "flights"],
      ["pulls", "resume", "flights"],
      ["pulls", "show", "nothing"],
      ["pulls", "run", "flights", "--from", '["1"]'],
      ["pulls", "run", "flights", "--backfill"],
      ["pulls", "reset", "flights"],
      ["pulls", "reset", "flights", "--yes", "--json"],
    ]);
  });

  it("runs: started and watched to their ends, shown, started again, and what cannot be cancelled", async () => {
    const done = await ctl(["pulls", "run", "flights", "--watch"]);
    assert.deepEqual([done.exitCode, done.stderr], [0, ""]);
    assert.match(done.stdout, /^published {2}\d+ slices? {2}2,000 rows {2}\d+(\.\d)? kB {2}[\d,]+ rows\/s$/m);
    const failed = await ctl(["pulls", "run", "missing", "--watch", "--json"]);
    assert.equal(failed.exitCode, 1);
    const states = failed.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as RunView);
    assert.deepEqual([states.at(-1)!.state, states.at(-1)!.error!.code], ["failed", "policy.denied"]);
    const [flights, missing] = [(await runIds("flights"))[0]!, (await runIds("missing"))[0]!];
    await session("runs", [
      ["runs", "list", "flights"],
      ["runs", "list", "missing"],
      ["runs", "list", "flights", "-n", "1", "--json"],
      ["runs", "show", flights],
      ["runs", "show", missing],
      ["runs", "show", missing, "--json"],
      ["runs", "parts", flights],
      ["runs", "parts", missing],
      ["runs", "cancel", flights],
      ["runs", "retry", flights],
      ["runs", "show", "flights.0000000000000-00000000"],
      ["runs", "show", "something"],
    ]);
    assert.equal((await ctl(["runs", "watch", flights])).exitCode, 0);
    const again = await ctl(["runs", "retry", missing, "--watch"]);
    assert.equal(again.exitCode, 1);
    assert.match(again.stdout, /^failed .* policy\.denied: /m);
  });

  it("diff and apply: what a file would change, over tenants; applied once, and the same again changes nothing", async () => {
    const plan = (more: string) => `v: 1
templates:
  whole-table:
    connection: "\${connection}"
    operation: { op: sql.table, table: "dbo.\${table}", columns: "*" }
    schedule: { cron: "0 2 * * *", timezone: Europe/Oslo }
tenants:
  contoso:
    values: { connection: erp }
    pulls:
      nightly: { template: whole-table, values: { table: Flights }${more} }
  fabrikam:
    values: { connection: crm }
    pulls:
      nightly: { template: whole-table, values: { table: Orders } }
`;
    const first = file("plan.yaml", plan(""));
    const second = file("plan-2.yaml", plan(", set: { freshness: { maxAgeSeconds: 90000 }, retentionDays: 30 }"));
    const third = file("plan-3.yaml", plan("").replace("table: Flights", "table: Exact"));
    await session("apply", [
      ["diff", "-f", first],
      ["apply", "-f", first],
      ["apply", "-f", first],
      ["diff", "-f", first, "--tenant", "fabrikam"],
      ["diff", "-f", second, "--tenant", TENANT, "--json"],
      ["apply", "-f", second, "--tenant", TENANT],
      ["diff", "-f", third, "--tenant", TENANT],
      ["apply", "-f", third, "--tenant", TENANT],
      ["apply", "-f", third, "--tenant", TENANT, "--yes", "--json"],
      ["pulls", "show", "nightly", "--tenant", "fabrikam"],
      ["diff", "-f", file("none.yaml", "v: 1\ntenants: {}\n")],
    ]);
  });

  it("webhooks and events", async () => {
    const save = join(folder, "ops.secret");
    const ran = await session("webhooks", [
      ["webhooks", "list"],
      ["webhooks", "create", "inside", "--to", "https://10.0.0.1/"],
      ["webhooks", "create", "ops", "--to", "https://127.0.0.1:1/in", "--type", "sallyport.run.failed", "--save", save],
      ["webhooks", "create", "ops", "--to", "https://127.0.0.1:1/in"],
      ["webhooks", "create", "odd", "--to", "https://127.0.0.1:1/in", "--type", "everything"],
      ["webhooks", "list"],
      ["webhooks", "rotate", "ops", "--overlap-hours", "0"],
      ["webhooks", "test", "ops"],
      ["webhooks", "dead", "ops"],
      ["webhooks", "replay", "ops"],
      ["webhooks", "replay", "ops", "--all"],
      ["webhooks", "replay", "ops", "pulls.flights.1"],
      ["webhooks", "remove", "ops"],
      ["webhooks", "remove", "ops", "--yes"],
      ["webhooks", "show", "ops"],
    ]);
    assert.match(ran[6]!.stdout, /^whsec_[A-Za-z0-9+/]{43}=\n/);
    assert.equal(statSync(save).mode & 0o777, 0o600);
    const told = await ctl(["events", "list", "--type", "sallyport.run.failed", "--json"]);
    const events = JSON.parse(told.stdout) as { type: string; data: { code: string } }[];
    assert.ok(events.length > 0 && events.every(({ type }) => type === "sallyport.run.failed"), told.stdout);
    const shown = await ctl(["events", "list", "-n", "1"]);
    assert.match(shown.stdout, /^TIME +TYPE +ABOUT +FACTS\n.+\n$/);
  });

  it("requests: one operation by hand, its rows, and what a denied one would need", async () => {
    const read = file("read.yaml", "op: sql.table\ntable: dbo.Flights\ncolumns: [Id]\n");
    const denied = file("denied.yaml", 'operation: { op: sql.table, table: dbo.Secret, columns: "*" }\n');
    const ran = await ctl(["requests", "run", CONNECTION, "-f", read]);
    assert.equal(ran.exitCode, 0, ran.stderr);
    assert.match(ran.stdout, /^STATE +succeeded$[\s\S]*^ROWS +2,000, [\s\S]*and 1,950 more rows: --json has all$/m);
    const refused = await ctl(["requests", "run", CONNECTION, "-f", denied]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stdout, /^ERROR +policy\.denied: [\s\S]*^What would allow it, [\s\S]*dbo\.Secret/m);
    const [, id = ""] = /^REQUEST +([0-9a-f]{32})$/m.exec(refused.stdout) ?? [];
    assert.match((await ctl(["requests", "show", id, "--json"])).stdout, /"state":"failed"/);
    const wrong = await ctl(["requests", "run", CONNECTION, "-f", file("odd.yaml", "op: sql.everything\n")]);
    assert.deepEqual([wrong.exitCode, /holds no request: operation/.test(wrong.stderr)], [64, true]);
  });

  it("connections are tested by an agent, from end to end", async () => {
    const good = await ctl(["connections", "test", CONNECTION]);
    assert.equal(good.exitCode, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /^login +ok/m);
    const bad = await ctl(["connections", "test", "crm", "--tenant", "fabrikam"]);
    assert.equal(bad.exitCode, 1);
    assert.match(bad.stdout, /^agent +failed +agent\.offline: /m);
  });

  it("a login is kept for later calls, in a file of its owner's", async () => {
    const { SALLYPORT_URL = "", SALLYPORT_KEY_FILE = "", NODE_EXTRA_CA_CERTS = "" } = environment;
    const bare = { XDG_CONFIG_HOME: join(folder, "config"), NODE_EXTRA_CA_CERTS };
    const logged = await runCtl(
      ["login", "--url", SALLYPORT_URL, "--tenant", TENANT, "--key-file", SALLYPORT_KEY_FILE],
      bare,
    );
    assert.equal(logged.exitCode, 0, logged.stderr);
    assert.equal(statSync(join(folder, "config/sallyport/login.json")).mode & 0o777, 0o600);
    const listed = await runCtl(["pulls", "list"], bare);
    assert.match(listed.stdout, /^PULL .*\n(.*\n)*flights /);
    const wrong = await runCtl(["login", "--url", SALLYPORT_URL], bare, `sp_admin_${"A".repeat(43)}\n`);
    assert.equal(wrong.exitCode, 77);
    assert.equal((await runCtl(["pulls", "list"], bare)).exitCode, 0, "what was kept stays");
  });

  it("tenants: quotas, what is stored of one, who changed it, and its end", async () => {
    await ctl(["tenants", "create", "gone", "--name", "Gone & Co"]);
    await ctl(["sites", "create", "here", "--tenant", "gone"]);
    await session("tenants", [
      ["tenants", "change", "gone", "--quota", "pulls=5", "--quota", "keys=2"],
      ["tenants", "change", "gone", "--quota", "everything=5"],
      ["tenants", "show", "gone", "--json"],
      ["tenants", "export", "gone"],
      ["audit", "list", "--tenant", "gone"],
      ["tenants", "offboard", "gone"],
      ["tenants", "offboard", "gone", "--yes"],
      ["sites", "create", "more", "--tenant", "gone"],
    ]);
  });

  it("Ctrl-C ends the watching and leaves the run alone", async () => {
    // A site without an agent: the run waits for one, and so does whoever watches it.
    await stack.api.post(`/tenants/${TENANT}/sites`, { id: "empty", name: "Empty" });
    await stack.api.post(`/tenants/${TENANT}/connections`, { id: "far", site: "empty", kind: "mssql" });
    await stack.api.put(`/tenants/${TENANT}/connections/far/credential`, { user: "u", password: "p" });
    await stack.api.post(`/tenants/${TENANT}/pulls`, {
      id: "far",
      definition: { connection: "far", operation: { op: "sql.table", table: "dbo.T", columns: "*" } },
    });
    const run = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/far/runs`, {});
    const child = startCtl(["runs", "watch", run.id], environment);
    await once(child.stdout!, "data");
    const errors: Buffer[] = [];
    child.stderr!.on("data", (chunk: Buffer) => errors.push(chunk));
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    assert.equal(code, 130);
    assert.match(Buffer.concat(errors).toString(), new RegExp(`The run goes on\\..*runs cancel ${run.id}`));
    const still = await stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
    assert.ok(["queued", "running", "waiting"].includes(still.state), still.state);
    const cancelled = await ctl(["runs", "cancel", run.id]);
    assert.equal(cancelled.exitCode, 0);
    assert.equal((await ctl(["runs", "watch", run.id])).exitCode, 1);
  });

  it("a wrong key is 77, another tenant's too; both say what to do", async () => {
    const wrong = file("wrong.key", `sp_admin_${"A".repeat(43)}\n`);
    await session("refused", [
      ["runs", "list", "flights", "--key-file", wrong],
      ["runs", "list", "flights", "--key-file", wrong, "--json"],
      ["pulls", "list", "--key-file", join(folder, "watch.key"), "--tenant", "fabrikam"],
      ["pulls", "pause", "flights", "--key-file", join(folder, "watch.key")],
      ["pulls", "list", "--tenant", "No Such"],
    ]);
  });

  it("an authority that is not trusted is 69; --ca trusts it", async () => {
    const untrusted = await ctl(["pulls", "list"], { NODE_EXTRA_CA_CERTS: "" });
    assert.equal(untrusted.exitCode, 69);
    assert.match(untrusted.stderr, /--ca/);
    const trusted = await ctl(["pulls", "list", "--ca", join(folder, "ca.pem")], { NODE_EXTRA_CA_CERTS: "" });
    assert.equal(trusted.exitCode, 0);
  });
});
