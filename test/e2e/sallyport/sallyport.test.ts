/** The verbs of `sallyport`, on a machine with a running agent: in a terminal and piped, compared with what is stored here. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { agentEntry } from "../agent/entry.ts";
import { type RunningAgent, type Site, startSite } from "../agent/site.ts";
import { DIFFERS } from "../first-hour/names.ts";
import { Names, standing } from "../transcripts/names.ts";
import { inTerminal, piped, type Ran } from "./terminal.ts";

/** What listens at the connection's address is no SQL Server. */
const policyFor = (address: string): string => `v: 1
connections:
  erp:
    kind: mssql
    address: ${address}
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
      - { id: ended, allow: [table], tables: [dbo.Old], columns: "*", until: 2020-01-01 }
`;
const REQUEST = 'connection: erp\nuser: svc\noperation: { op: sql.table, table: dbo.TABLE, columns: "*" }\n';

/** Words of a command that are files beside the agent's folder. */
const FILE = /\.(yaml|json|txt|sealed)$/;

/** Verbs that read, answer and end. What follows is appended to `--state FOLDER`, where there is one. */
const READING: readonly (readonly string[])[] = [
  ["version"],
  ["ready"],
  ["status"],
  ["doctor"],
  ["doctor", "--connection", "erp"],
  ["firewall"],
  ["policy", "check"],
  ["policy", "test", "--request", "allowed.yaml"],
  ["policy", "test", "--request", "denied.yaml"],
  ["grant-script", "--connection", "erp", "--revoke"],
  ["journal", "tail"],
  ["journal", "verify"],
  ["keys", "show"],
  ["mask-key", "show"],
  ["status", "--colour"],
  ["grant-script", "--connection", "none"],
];

describe("sallyport", () => {
  let site: Site;
  let agent: RunningAgent;
  before(async () => {
    site = await startSite();
    writeFileSync(join(site.state, "..", "allowed.yaml"), REQUEST.replace("TABLE", "Orders"));
    writeFileSync(join(site.state, "..", "denied.yaml"), REQUEST.replace("TABLE", "Salaries"));
  });
  after(async () => {
    await agent?.stop();
    await site.close();
  });

  const command = (args: readonly string[]): string[] => [
    ...[process.execPath, "--disable-warning=ExperimentalWarning", agentEntry()],
    ...args.map((arg) => (FILE.test(arg) ? join(site.state, "..", arg) : arg)),
    ...(args[0] === "version" ? [] : ["--state", site.state]),
  ];
  const named = (text: string): string =>
    text
      .replaceAll(site.state, "/STATE")
      .replaceAll(dirname(site.state), "/FOLDER")
      .replaceAll(site.caFile, "/ca.pem")
      .replaceAll(site.orchestrator.origin, "https://ORIGIN")
      .replaceAll(new URL(site.orchestrator.origin).host, "ORIGIN:443")
      .replaceAll(`localhost:${site.relay.controlPort}`, "RELAY:443")
      .replaceAll(`localhost:${site.relay.rendezvousPort}`, "GATEWAY:443")
      .replaceAll(/localhost +\d+\/tcp/g, "HOST  PORT/tcp")
      .replaceAll(standing(hostname()), "MACHINE");
  /** Compares with the file, or writes it with SALLYPORT_WRITE_TRANSCRIPTS, for a person to read in the diff. */
  const compare = (name: string, came: string): void => {
    const file = new URL(`./${name}.txt`, import.meta.url);
    if (process.env.SALLYPORT_WRITE_TRANSCRIPTS !== undefined) writeFileSync(file, came);
    assert.equal(came, readFileSync(file, "utf8"));
  };
  const session = async (run: (args: readonly string[]) => Promise<Ran>, all: readonly (readonly string[])[]) => {
    const names = new Names(DIFFERS);
    let came = "";
    for (const args of all) {
      const { exitCode, shown } = await run(args);
      const exit = exitCode === 0 ? "" : `exit ${exitCode}\n`;
      came += `${names.stable(`$ sallyport ${args.join(" ")}\n${named(shown)}${exit}`)}\n`;
    }
    return came;
  };

  /** The agent writes its status every 5 s. */
  const saysItIsReady = async (): Promise<void> => {
    while ((await piped(command(["ready"]), {})).exitCode !== 0);
  };

  it("enroll, in a terminal: the code is typed and not shown", async () => {
    const code = site.orchestrator.code();
    const gateway = `localhost:${site.relay.rendezvousPort}`;
    const args = ["enroll", "--origin", site.orchestrator.origin, "--ca", site.caFile, "--rendezvous-host", gateway];
    const { exitCode, shown } = await inTerminal(command(args), {}, { after: "(not shown): ", text: `${code}\r` });
    assert.equal(exitCode, 0, shown);
    assert.ok(!shown.includes(code));
    const names = new Names(DIFFERS);
    compare("enroll", `$ sallyport enroll\n${names.stable(named(shown))}`);
    site.setPolicy(policyFor(`localhost:${site.relay.controlPort}`));
    agent = await site.start();
    await saysItIsReady();
  });

  it("each verb that reads, in a terminal: with colours", async () => {
    compare("terminal", await session((args) => inTerminal(command(args), {}), READING));
  });

  it("the same in a terminal of somebody who wants no colours, and piped: without", async () => {
    const reading = READING.filter(([verb]) => verb !== "doctor");
    const plain = await session((args) => piped(command(args), {}), reading);
    compare("piped", plain);
    assert.equal(await session((args) => inTerminal(command(args), { NO_COLOR: "1" }), reading), plain);
    assert.doesNotMatch(plain, /\\e/);
  });

  it("--json is one line of JSON for each, whatever it ends with, and the journal's own lines for its tail", async () => {
    for (const args of READING) {
      const { shown } = await piped(command([...args, "--json"]), {});
      const lines = shown.trimEnd().split("\n");
      // Which are JSON by themselves.
      if (args.join(" ") !== "journal tail") assert.equal(lines.length, 1, args.join(" "));
      for (const line of lines) assert.equal(typeof JSON.parse(line), "object", args.join(" "));
    }
  });

  it("lock, ready, unlock, drain", async () => {
    const steps = [["lock"], ["ready"], ["unlock"], ["drain"], ["drain", "--off"]];
    compare("lock", await session((args) => piped(command(args), {}), steps));
  });

  it("what writes: a first policy, suggestions, keys, the mask key, a sealed login whose password is typed", async () => {
    writeFileSync(join(site.state, "..", "passphrase.txt"), "correct horse battery staple\n", { mode: 0o600 });
    const passphrase = ["--passphrase-file", "passphrase.txt"];
    const steps = [
      ["policy", "init", "first.yaml", "--mssql", "sql01.corp.example:1433/ERP", "--tables", "dbo.Orders"],
      ["policy", "check", "first.yaml"],
      ["policy", "suggest"],
      ["keys", "show", "--out", "keys.json"],
      ["keys", "rotate"],
      ["mask-key", "export", "--out", "oslo.sealed", ...passphrase],
      ["mask-key", "import", "oslo.sealed", ...passphrase],
    ];
    compare("writing", await session((args) => piped(command(args), {}), steps));
    const seal = ["credential", "seal", "--connection", "erp", "--agent", "keys.json", "--out", "erp.json"];
    const typed = { after: "(not shown): ", text: "Reader-1-of-this-test\r" };
    const sealed = await session((args) => inTerminal(command(args), {}, typed), [seal]);
    assert.doesNotMatch(sealed + readFileSync(join(site.state, "..", "erp.json"), "utf8"), /Reader-1/);
    compare("seal", sealed);
  });
});
