/** docs/first-hour.md, run from the document itself: each command in its turn, its outputs compared with what stands there. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { ROOT } from "../../build/root.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { fillSample } from "../../stack/sample.ts";
import { READER, type Stack, startStack } from "../../stack/start.ts";
import { agentEntry } from "../agent/entry.ts";
import { Names, standing } from "../transcripts/names.ts";
import { aligned, readDocument, readSteps, type Step, withOutputs, writeDocument } from "./document.ts";
import { DIFFERS } from "./names.ts";

const DOCUMENT = new URL("../../../docs/first-hour.md", import.meta.url);
const TENANT = "fabrikam";
const FLIGHTS = 2000;

/** What the document calls it, and what it is here; in this order when outputs are read. */
type Places = readonly (readonly [document: string, here: string])[];

const cleanup = createCleanup();
const folder = mkdtempSync(join(tmpdir(), "sallyport-hour-"));
const work = join(folder, "work");
const state = join(folder, "state");
let stack: Stack;
let places: Places;
let agent: ChildProcess | undefined;

before(async () => {
  stack = await startStack({ folder: join(folder, "stack"), cleanup });
  cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
  await definePulls();
  mkdirSync(work);
  copyFileSync(join(stack.folder, "ca.pem"), join(work, "corp.pem"));
  writeTools(join(folder, "bin"));
  const { host, port } = stack.sqlServer.server;
  places = [
    ["/var/lib/sallyport", state],
    ["https://sallyport-contoso.azurewebsites.net", stack.origin],
    ["sallyport-contoso.azurewebsites.net:443", new URL(stack.origin).host],
    ["sb-contoso.servicebus.windows.net:443", `localhost:${stack.relay.controlPort}`],
    ["g12-prod-sb.servicebus.windows.net:443", `localhost:${stack.relay.rendezvousPort}`],
    ["sql01.corp.example:1433", `${host}:${port}`],
    ["erp-host-1", hostname()],
  ];
});
after(async () => {
  if (agent?.exitCode === null) {
    agent.kill("SIGTERM");
    await once(agent, "exit");
  }
  await cleanup.run();
  rmSync(folder, { recursive: true, force: true });
});

/** What the platform team has done before: a tenant, a site, a connection with its credential, two pulls. */
async function definePulls(): Promise<void> {
  await stack.api.post("/tenants", { id: TENANT, name: "Fabrikam" });
  await stack.api.post(`/tenants/${TENANT}/sites`, { id: "bergen", name: "Bergen" });
  await stack.api.post(`/tenants/${TENANT}/connections`, { id: "erp", site: "bergen", kind: "mssql" });
  const password = stack.sqlServer.readerPassword;
  await stack.api.put(`/tenants/${TENANT}/connections/erp/credential`, { user: READER, password });
  for (const [id, table] of [
    ["exact", "dbo.Exact"],
    ["flights", "dbo.Flights"],
  ]) {
    const definition = { connection: "erp", operation: { op: "sql.table", table, columns: "*" }, watermark: "none" };
    await stack.api.post(`/tenants/${TENANT}/pulls`, { id, definition });
  }
}

/** Both command lines by name. Enrolment needs to be told of this machine's authority and gateway, which Azure's has not. */
function writeTools(bin: string): void {
  mkdirSync(bin);
  const node = `exec '${process.execPath}' --disable-warning=ExperimentalWarning`;
  const here = `--ca '${join(work, "corp.pem")}' --rendezvous-host localhost:${stack.relay.rendezvousPort}`;
  const tools = {
    sallyport: [
      `[ "$1" = enroll ] && set -- "$@" ${here}`,
      // As if the folder were where an installation has it.
      `[ "$1" = firewall ] || set -- "$@" --state '${state}'`,
      `${node} '${agentEntry()}' "$@"`,
    ],
    sallyportctl: [`${node} '${join(ROOT, "cloud/src/cli/main.ts")}' "$@"`],
  };
  for (const [name, lines] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines.join("\n")}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

const toHere = (command: string): string =>
  command.startsWith("sallyport firewall")
    ? command
    : places.reduce((changed, [document, here]) => changed.replaceAll(document, here), command);

const toDocument = (prints: string): string =>
  places
    .reduce((changed, [document, here]) => changed.replaceAll(standing(here), document), prints)
    .replaceAll(" --state /var/lib/sallyport", "");

/** Both outputs, as a terminal shows them; a command that ends with & goes on. */
async function run(command: string): Promise<string> {
  const background = command.endsWith("&");
  const line = background ? `exec ${command.slice(0, -1)}` : `{ ${command}\n} 2>&1`;
  const child = spawn("bash", ["-c", line], {
    cwd: work,
    env: {
      PATH: `${join(folder, "bin")}:${process.env.PATH}`,
      SALLYPORT_URL: stack.origin,
      SALLYPORT_KEY_FILE: join(stack.folder, "admin.key"),
      SALLYPORT_TENANT: TENANT,
      NODE_EXTRA_CA_CERTS: join(stack.folder, "ca.pem"),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (background) {
    agent = child;
    return "";
  }
  return await text(child.stdout!);
}

test("the first hour goes as docs/first-hour.md says", async () => {
  const document = readDocument(DOCUMENT);
  const steps = readSteps(document);
  const [written, came] = [new Names(DIFFERS), new Names(DIFFERS)];
  /** What the document's command means: its ids are those that it printed, and here others came in their place. */
  const meant = (command: string): string =>
    [...written.all].reduce((changed, [said, name]) => changed.replaceAll(said, came.found(name) ?? said), command);
  const done: Step[] = [];
  const renew = process.env.SALLYPORT_WRITE_TRANSCRIPTS !== undefined;
  for (const { prompt, command, prints } of steps) {
    const printed = toDocument(await run(toHere(renew ? newly(command, came) : meant(command))));
    keepCode(printed);
    done.push({ prompt, command: renew ? newly(command, came) : command, prints: aligned(printed) });
    const both = [written.stable(prints), came.stable(printed)];
    if (!renew) assert.equal(both[1], both[0], `${prompt} ${command}`);
  }
  if (renew) writeDocument(DOCUMENT, withOutputs(document, done));
});

/** For a document that is written anew: the command's ids are the first that came. */
const newly = (command: string, came: Names): string =>
  command
    .replace(/\b[0-9a-f]{32}\b/, (id) => came.found("ID1") ?? id)
    .replace(/SHA256:[\w-]{43}/, (print) => came.found("SHA256:PRINT2") ?? print);

/** The administrator's hand: what the platform team said on the telephone stands in a file. */
function keepCode(printed: string): void {
  const [, code] = /^CODE +(\S+)$/m.exec(printed) ?? [];
  if (code !== undefined) writeFileSync(join(work, "code.txt"), `${code}\n`, { mode: 0o600 });
}
