/** The verbs of `sallyportctl` about pulls, their runs and single requests, against the real function app. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { CONNECTION, TENANT } from "../../stack/start.ts";
import { type Operator, startOperator } from "./operator.ts";
import { startCtl } from "./run.ts";

describe("sallyportctl: pulls, runs, requests and what is told of them", () => {
  let operator: Operator;
  const runIds = async (pull: string): Promise<string[]> => {
    const { stdout } = await operator.ctl(["runs", "list", pull, "--json"]);
    return (JSON.parse(stdout) as RunView[]).map(({ id }) => id);
  };

  before(async () => {
    operator = await startOperator();
    await operator.definePull("flights", "dbo.Flights");
    await operator.definePull("missing", "dbo.Missing");
    const { api } = operator.stack;
    await api.post("/tenants", { id: "fabrikam", name: "Fabrikam" });
    await api.post("/tenants/fabrikam/sites", { id: "bergen", name: "Bergen" });
    await api.post("/tenants/fabrikam/connections", { id: "crm", site: "bergen", kind: "mssql" });
  });
  after(() => operator.end());

  it("pulls: listed, shown, paused, resumed, run and reset", async () => {
    await operator.session("pulls", [
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
    const done = await operator.ctl(["pulls", "run", "flights", "--watch"]);
    assert.deepEqual([done.exitCode, done.stderr], [0, ""]);
    assert.match(done.stdout, /^published {2}\d+ slices? {2}2,000 rows {2}\d+(\.\d)? kB {2}[\d,]+ rows\/s$/m);
    const failed = await operator.ctl(["pulls", "run", "missing", "--watch", "--json"]);
    assert.equal(failed.exitCode, 1);
    const states = failed.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as RunView);
    assert.deepEqual([states.at(-1)!.state, states.at(-1)!.error!.code], ["failed", "policy.denied"]);
    const [flights, missing] = [(await runIds("flights"))[0]!, (await runIds("missing"))[0]!];
    await operator.session("runs", [
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
    assert.equal((await operator.ctl(["runs", "watch", flights])).exitCode, 0);
    const again = await operator.ctl(["runs", "retry", missing, "--watch"]);
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
    const first = operator.file("plan.yaml", plan(""));
    const second = operator.file(
      "plan-2.yaml",
      plan(", set: { freshness: { maxAgeSeconds: 90000 }, retentionDays: 30 }"),
    );
    const third = operator.file("plan-3.yaml", plan("").replace("table: Flights", "table: Exact"));
    await operator.session("apply", [
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
      ["diff", "-f", operator.file("none.yaml", "v: 1\ntenants: {}\n")],
    ]);
  });

  it("webhooks and events", async () => {
    const save = join(operator.folder, "ops.secret");
    const ran = await operator.session("webhooks", [
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
    const told = await operator.ctl(["events", "list", "--type", "sallyport.run.failed", "--json"]);
    const events = JSON.parse(told.stdout) as { type: string; data: { code: string } }[];
    assert.ok(events.length > 0 && events.every(({ type }) => type === "sallyport.run.failed"), told.stdout);
    const shown = await operator.ctl(["events", "list", "-n", "1"]);
    assert.match(shown.stdout, /^TIME +TYPE +ABOUT +FACTS\n.+\n$/);
  });

  it("requests: one operation by hand, its rows, and what a denied one would need", async () => {
    const read = operator.file("read.yaml", "op: sql.table\ntable: dbo.Flights\ncolumns: [Id]\n");
    const denied = operator.file("denied.yaml", 'operation: { op: sql.table, table: dbo.Secret, columns: "*" }\n');
    const ran = await operator.ctl(["requests", "run", CONNECTION, "-f", read]);
    assert.equal(ran.exitCode, 0, ran.stderr);
    assert.match(ran.stdout, /^STATE +succeeded$[\s\S]*^ROWS +2,000, [\s\S]*and 1,950 more rows: --json has all$/m);
    const refused = await operator.ctl(["requests", "run", CONNECTION, "-f", denied]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stdout, /^ERROR +policy\.denied: [\s\S]*^What would allow it, [\s\S]*dbo\.Secret/m);
    const [, id = ""] = /^REQUEST +([0-9a-f]{32})$/m.exec(refused.stdout) ?? [];
    assert.match((await operator.ctl(["requests", "show", id, "--json"])).stdout, /"state":"failed"/);
    const wrong = await operator.ctl([
      "requests",
      "run",
      CONNECTION,
      "-f",
      operator.file("odd.yaml", "op: sql.everything\n"),
    ]);
    assert.deepEqual([wrong.exitCode, /holds no request: operation/.test(wrong.stderr)], [64, true]);
  });

  it("Ctrl-C ends the watching and leaves the run alone", async () => {
    // A site without an agent: the run waits for one, and so does whoever watches it.
    await operator.stack.api.post(`/tenants/${TENANT}/sites`, { id: "empty", name: "Empty" });
    await operator.stack.api.post(`/tenants/${TENANT}/connections`, { id: "far", site: "empty", kind: "mssql" });
    await operator.stack.api.put(`/tenants/${TENANT}/connections/far/credential`, { user: "u", password: "p" });
    await operator.stack.api.post(`/tenants/${TENANT}/pulls`, {
      id: "far",
      definition: { connection: "far", operation: { op: "sql.table", table: "dbo.T", columns: "*" } },
    });
    const run = await operator.stack.api.post<RunView>(`/tenants/${TENANT}/pulls/far/runs`, {});
    const child = startCtl(["runs", "watch", run.id], operator.environment);
    await once(child.stdout!, "data");
    const errors: Buffer[] = [];
    child.stderr!.on("data", (chunk: Buffer) => errors.push(chunk));
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    assert.equal(code, 130);
    assert.match(Buffer.concat(errors).toString(), new RegExp(`The run goes on\\..*runs cancel ${run.id}`));
    const still = await operator.stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
    assert.ok(["queued", "running", "waiting"].includes(still.state), still.state);
    const cancelled = await operator.ctl(["runs", "cancel", run.id]);
    assert.equal(cancelled.exitCode, 0);
    assert.equal((await operator.ctl(["runs", "watch", run.id])).exitCode, 1);
  });
});
