/** What the owner does while the agent runs: lock, drain, a new policy; and what a revocation does to it. */
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { AgentMessage } from "@sallyport/shared/protocol/agent-stream.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { decodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { checkBatch } from "@sallyport/shared/rows/check.ts";
import { jsonRows } from "@sallyport/shared/rows/test-json-rows.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const ROWS = 2_000;
const PASSWORD = "Owner-1-of-this-test";
const READ = /FROM \[dbo\]\.\[People\]/;
/** Some minutes for all rows, with a checkpoint every two seconds. */
const SLOW = { kind: "slowRows", everyRows: 10, delayMs: 500 } as const;
/** A server that says nothing more, not even to a cancel. */
const STUCK = { kind: "stallInRow", afterRows: 100 } as const;

let site: Site;
let agent: RunningAgent;
let tds: Tds;

const connection = (name: string): string => `
  ${name}:
    kind: mssql
    address: localhost:${tds.port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    limits: { sessions: 4 }
    rules:
      - id: people
        allow: [table, changes]
        tables: [dbo.People]
        columns: [PersonId, Email, Born, Iban]
        mask: { Email: hash, Born: year, Iban: last4 }
`;
const policyOf = (...names: string[]): string =>
  `v: 1\nlimits: { sessionsPerMinute: 600 }\nconnections:${names.map(connection).join("")}`;

before(async () => {
  const authority = await makeAuthority();
  tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: { select: ["*"], viewChangeTracking: ["*"] } }],
    databases: ["ERP"],
  });
  await tds.sql(
    "CREATE TABLE dbo.People (PersonId int NOT NULL PRIMARY KEY, Email nvarchar(100) NULL, Born date NOT NULL, Iban varchar(34) NULL)",
  );
  await tds.sql("ALTER DATABASE ERP SET CHANGE_TRACKING = ON");
  await tds.sql("ALTER TABLE dbo.People ENABLE CHANGE_TRACKING");
  for (let start = 0; start < ROWS; start += 1000) {
    const values = Array.from({ length: 1000 }, (_, index) => {
      const id = start + index;
      return `(${id}, ${id === 7 ? "NULL" : `N'${emailOf(id)}'`}, '19${String(id % 100).padStart(2, "0")}-05-17', 'NO93860111${String(id).padStart(5, "0")}')`;
    });
    await tds.sql(`INSERT INTO dbo.People (PersonId, Email, Born, Iban) VALUES ${values.join(", ")}`);
  }
  site = await startSite();
  const enrolled = await site.enroll(site.orchestrator.code());
  assert.equal(enrolled.code, 0, enrolled.stderr);
  writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
  site.setPolicy(policyOf("erp", "crm"));
  agent = await site.start();
});
after(async () => {
  await site.close();
  await tds.close();
});

const emailOf = (id: number): string => `person${id}@example.no`;

async function open(): Promise<Sender> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  return dialled.sender;
}

const read = (of = "erp"): Partial<SessionRequestPayload> & { id: string } => ({
  id: randomBytes(16).toString("hex"),
  connection: of,
  caller: "pull:people",
  pull: "people",
  operation: {
    op: "sql.table",
    table: "dbo.People",
    columns: ["PersonId", "Email", "Born", "Iban"],
    watermark: "none",
  },
  credential: { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" },
});

/** A read that has begun; `ended` has its last message. */
async function begin(of = "erp") {
  const sender = await open();
  const request = read(of);
  await sender.request(request);
  const begun = Promise.withResolvers<void>();
  const messages = sender.messages((message) => {
    if (message.kind === "schema") begun.resolve();
  });
  const ended = messages.then((all) => all.at(-1));
  await Promise.race([begun.promise, ended]);
  const journaled = site.journaled(({ event, request: id }) => event === "end" && id === request.id);
  return { ended, journaled };
}

const codeOf = (message: AgentMessage | undefined): string | undefined =>
  message?.kind === "error" ? message.body.code : message?.kind;
const flag = (name: string): string => join(site.state, "control", name);
const statusNow = () => JSON.parse(readFileSync(join(site.state, "run", "status.json"), "utf8"));
const maskKey = (): { key: string } => JSON.parse(readFileSync(join(site.state, "mask.key"), "utf8"));

test("masked columns arrive masked, marked in the schema, under the key whose id the hello names", async () => {
  const sender = await open();
  await sender.request(read());
  const messages = await sender.messages();
  assert.equal(codeOf(messages.at(-1)), "end", JSON.stringify(messages.at(-1)));
  const schema = messages[0];
  assert.ok(schema?.kind === "schema");
  const { columns } = decodeSchema(schema.bytes);
  assert.deepEqual(
    columns.map(({ name, type, metadata }) => [name, type.kind, metadata?.masked]),
    [
      ["PersonId", "int", undefined],
      ["Email", "utf8", "hash"],
      ["Born", "int", "year"],
      ["Iban", "utf8", "last4"],
    ],
  );
  const names = columns.map(({ name }) => name);
  const rows = messages.flatMap((message) =>
    message.kind === "batch" ? [...jsonRows(names, checkBatch(message.bytes, columns, DEFAULT_LIMITS).columns)] : [],
  );
  const key = Buffer.from(maskKey().key, "base64url");
  const hashOf = (id: number) => createHmac("sha256", key).update(emailOf(id)).digest("base64url");
  assert.equal(rows.length, ROWS);
  for (const row of rows) {
    const id = Number(row.PersonId);
    assert.equal(row.Email, id === 7 ? null : hashOf(id));
    assert.equal(row.Born, 1900 + (id % 100));
    assert.equal(row.Iban, String(id).padStart(5, "0").slice(-4));
  }
  const shown = await site.cli(["mask-key", "show", "--state", site.state]);
  assert.equal(shown.stdout.trim(), sender.hello.hello.maskKey);
});

test("changes arrive masked as the table does", async () => {
  const sender = await open();
  const operation = {
    ...{ op: "sql.changes" as const, table: "dbo.People", columns: ["PersonId", "Email"] },
    ...{ by: "changeTracking" as const, consistency: "convergent" as const },
  };
  await sender.request({ ...read(), operation });
  const messages = await sender.messages();
  assert.equal(codeOf(messages.at(-1)), "end", JSON.stringify(messages.at(-1)));
  const schema = messages[0];
  assert.ok(schema?.kind === "schema");
  const { columns } = decodeSchema(schema.bytes);
  assert.deepEqual(
    columns.map(({ name, metadata }) => [name, metadata?.masked]),
    [
      ["_op", undefined],
      ["PersonId", undefined],
      ["Email", "hash"],
    ],
  );
  const batch = messages.find((message) => message.kind === "batch")!;
  const views = checkBatch(batch.bytes, columns, DEFAULT_LIMITS).columns;
  const [row] = jsonRows(
    columns.map(({ name }) => name),
    views,
  );
  const key = Buffer.from(maskKey().key, "base64url");
  const hash = createHmac("sha256", key)
    .update(emailOf(Number(row?.PersonId)))
    .digest("base64url");
  assert.deepEqual([row?._op, row?.Email], ["insert", hash]);
});

test("a lock ends a running session with agent.locked, and refuses the next; unlocking lets it in", async (t) => {
  t.after(tds.faults.add(SLOW, { statement: READ }));
  const { ended, journaled } = await begin();
  const locking = site.cli(["lock", "--state", site.state]);
  assert.equal(codeOf(await ended), "agent.locked");
  assert.equal((await journaled).code, "agent.locked");
  const { code, stdout } = await locking;
  assert.deepEqual(
    [code, stdout],
    [0, "locked: no session is running, new ones are refused until `sallyport unlock`\n"],
  );
  const refused = await dial(site);
  assert.match(refused.ok ? "" : refused.reason, /agent\.locked/);
  const canary = await dial(site, { ping: true });
  assert.ok(canary.ok);
  await canary.sender.request();
  assert.equal(codeOf((await canary.sender.messages()).at(-1)), "end");
  const unlocked = await site.cli(["unlock", "--state", site.state, "--json"]);
  assert.deepEqual(JSON.parse(unlocked.stdout), { locked: false, agent: true, running: 0 });
  const again = await open();
  again.socket.terminate();
});

test("a session whose source is stuck is gone seconds after a lock, and the journal says why", async (t) => {
  t.after(tds.faults.add(STUCK, { statement: READ }));
  t.after(() => rmSync(flag("lock"), { force: true }));
  const { ended, journaled } = await begin();
  writeFileSync(flag("lock"), "");
  assert.equal((await journaled).code, "agent.locked");
  const last = await ended.catch(() => undefined);
  assert.ok(codeOf(last) === "agent.locked" || last?.kind !== "end");
});

test("a drain lets a running session go on to its next checkpoint, and refuses new ones", async (t) => {
  t.after(tds.faults.add(SLOW, { statement: READ }));
  t.after(() => rmSync(flag("drain"), { force: true }));
  const { ended } = await begin();
  const draining = await site.cli(["drain", "--state", site.state]);
  assert.equal(draining.code, 0);
  assert.match(draining.stdout, /^draining: /);
  const refused = await dial(site);
  assert.match(refused.ok ? "" : refused.reason, /agent\.draining/);
  const last = await ended;
  assert.ok(last?.kind === "end", JSON.stringify(last));
  assert.equal(last.body.complete, false);
  assert.equal(
    (await site.cli(["drain", "--off", "--state", site.state])).stdout,
    "drain ended: the agent takes sessions\n",
  );
  await site.journaled(({ event, decision }) => event === "drain" && decision === "allow");
});

test("a policy that is not valid changes nothing, and log, journal and status say so", async () => {
  const before = statusNow().policy.digest;
  site.setPolicy(`${policyOf("erp", "crm")}surprise: true\n`);
  const line = await site.journaled(({ event, code }) => event === "policy" && code === "policy.invalid");
  assert.equal(line.policy, before);
  await agent.logged("the last one stays in force");
  const { ended } = await begin();
  assert.equal(codeOf(await ended), "end");
  const status = await site.cli(["status", "--state", site.state, "--json"]);
  assert.match(JSON.parse(status.stdout).policy.problem, /surprise/);
});

test("a new policy counts for new sessions; of those that run only a removed connection's are cut", async (t) => {
  t.after(tds.faults.add(SLOW, { statement: READ }));
  const [kept, cut] = [await begin("erp"), await begin("crm")];
  site.setPolicy(
    policyOf("erp")
      .replace("columns: [PersonId, Email, Born, Iban]", "columns: [PersonId]")
      .replace(/ +mask:.*\n/, ""),
  );
  assert.equal(codeOf(await cut.ended), "policy.denied");
  assert.equal((await cut.journaled).code, "policy.denied");
  const fresh = await begin("erp");
  assert.equal(codeOf(await fresh.ended), "policy.denied");
  writeFileSync(flag("drain"), "");
  assert.equal(codeOf(await kept.ended), "end");
  rmSync(flag("drain"));
  await site.journaled(({ event, decision }) => event === "drain" && decision === "allow");
  site.setPolicy(policyOf("erp", "crm"));
});

test("an agent that learns that it was revoked ends its sessions and says so", async (t) => {
  t.after(tds.faults.add(SLOW, { statement: READ }));
  assert.equal(await agent.stop(), 0);
  site.orchestrator.faults.tokenSeconds = 1;
  agent = await site.start();
  const { ended, journaled } = await begin();
  site.orchestrator.agents.get(site.agentId())!.status = "revoked";
  assert.equal(codeOf(await ended), "agent.revoked");
  assert.equal((await journaled).code, "agent.revoked");
  await site.journaled(({ event, code }) => event === "token" && code === "agent.revoked");
  await agent.logged("the orchestrator has revoked this agent");
  assert.equal(await agent.stop(), 0);
});
