import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { OPERATIONS } from "@sallyport/agent/src/supervisor/session.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { CHALLENGE_HEADER } from "@sallyport/shared/protocol/records.ts";
import { type DialOptions, dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const POLICY = `
v: 1
limits: { sessionsPerMinute: 600 }
connections:
  erp:
    kind: mssql
    address: 127.0.0.1:1
    database: ERP
    tls: { mode: required }
    logins: [svc]
    limits: { sessions: 1, failedLogins: 3/1h }
    rules:
      - id: orders
        allow: [table]
        tables: [dbo.Orders]
        columns: "*"
`;

const PASSWORD = "Tr0ub4dor&3-of-the-test";
const readOrders = {
  connection: "erp",
  operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
  credential: { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" },
} as const;

let site: Site;
let agent: RunningAgent;
before(async () => {
  site = await startSite();
  const enrolled = await site.enroll(site.orchestrator.code());
  assert.equal(enrolled.code, 0, enrolled.stderr);
  site.setPolicy(POLICY);
  site.addConfig("maxSessions: 2\n");
  agent = await site.start();
});
after(() => site.close());

/** Opens a session; where a former one has not given its place back yet, as soon as the journal has its last line. */
async function open(options: DialOptions = {}): Promise<Sender> {
  for (;;) {
    const seq = site.journal().length;
    const dialled = await dial(site, options);
    if (dialled.ok) return dialled.sender;
    assert.equal(dialled.reason, "agent.busy");
    await site.journaled((line) => Number(line.seq) > seq && (line.event === "end" || line.event === "session"));
  }
}
const linesOf = (id: string) => site.journal().filter((line) => line.request === id);

test("agent.ping: hello, one request, its state and an end without rows, two journal lines", async () => {
  const sender = await open();
  assert.deepEqual(sender.hello.hello.operations, [...OPERATIONS]);
  assert.equal(sender.hello.hello.maxSessions, 2);
  const id = randomBytes(16).toString("hex");
  await sender.request({ id });
  const [state, end] = await sender.messages();
  assert.equal(state?.kind, "result");
  assert.equal(end?.kind, "end");
  assert.equal(end.body.rows, 0);
  assert.equal(end.body.complete, true);
  assert.equal(await sender.closed, 1000);
  await site.journaled((line) => line.event === "end" && line.request === id);
  const [request, last] = linesOf(id);
  assert.equal(request?.event, "request");
  assert.equal(request.op, "agent.ping");
  assert.equal(request.decision, "allow");
  assert.equal(last?.code, undefined);
  assert.equal(last?.reported, true);
});

test("a table the policy does not allow: policy.denied, journaled before and after, nothing contacted", async () => {
  const sender = await open();
  const id = randomBytes(16).toString("hex");
  const operation = { ...readOrders.operation, table: "hr.Salaries" };
  await sender.request({ id, ...readOrders, operation });
  const [error] = await sender.messages();
  assert.equal(error?.kind, "error");
  assert.equal(error.body.code, "policy.denied");
  assert.equal(error.body.retryable, false);
  await site.journaled((line) => line.event === "end" && line.request === id);
  const [request, end] = linesOf(id);
  assert.equal(request?.decision, "deny");
  assert.equal(request?.code, "policy.denied");
  assert.equal(request?.object, "hr.Salaries");
  assert.equal(end?.code, "policy.denied");
});

test("an allowed read of a server that is down: connection.unreachable, with the rule in the journal", async () => {
  const sender = await open();
  const id = randomBytes(16).toString("hex");
  await sender.request({ id, ...readOrders });
  const [error] = await sender.messages();
  assert.equal(error?.kind, "error");
  assert.equal(error.body.code, "connection.unreachable");
  assert.equal(error.body.retryable, true);
  await site.journaled((line) => line.event === "end" && line.request === id);
  const [request, end] = linesOf(id);
  assert.equal(request?.rule, "orders");
  assert.equal(request?.decision, "allow");
  assert.equal(end?.code, "connection.unreachable");
});

test("a second request closes with 1002", async () => {
  const sender = await open();
  await sender.request();
  await sender.request();
  assert.equal(await sender.closed, 1002);
  const line = await site.journaled(({ code }) => code === "protocol.order");
  assert.ok(line.event === "end" || line.event === "session");
});

test("a text message closes with 1002 and leaves a line", async () => {
  const before = site.journal().length;
  const sender = await open();
  sender.socket.send("hello");
  assert.equal(await sender.closed, 1002);
  const line = await site.journaled(({ seq, event }) => Number(seq) > before && event === "session");
  assert.equal(line.code, "protocol.order");
});

test("a request by a key that is not pinned is refused without an answer", async () => {
  const sender = await open();
  await sender.request({}, signerOf("ES256", await generateKeyPair("ES256")));
  assert.equal(await sender.closed, 1002);
  await site.journaled(({ code }) => code === "request.refused");
});

test("a request for another tenant is refused", async () => {
  const sender = await open();
  await sender.request({ tenant: "fabrikam" });
  const [error] = await sender.messages();
  assert.equal(error?.kind === "error" && error.body.code, "request.refused");
});

test("a request sealed to another session opens nowhere", async () => {
  const first = await open();
  const second = await open();
  await first.request({ hello: second.hello.hash.toString("base64url") });
  assert.equal(await first.closed, 1002);
  await second.request();
  assert.equal((await second.messages()).at(-1)?.kind, "end");
});

test("a frame in the place of the request closes with 1002", async () => {
  const sender = await open();
  sender.socket.send(Buffer.concat([Buffer.of(0x03), randomBytes(40)]));
  assert.equal(await sender.closed, 1002);
});

test("an altered request closes with 1002 and protocol.integrity", async () => {
  const sender = await open();
  sender.socket.send(Buffer.concat([Buffer.of(0x02), randomBytes(2000)]));
  assert.equal(await sender.closed, 1002);
  await site.journaled(({ code }) => code === "protocol.integrity");
});

test("a challenge that is missing, doubled, too short or not canonical is turned down with 400", async () => {
  const good = randomBytes(32).toString("base64url");
  const notCanonical = `${good.slice(0, 42)}${"B"}`;
  for (const headers of [
    {},
    { [CHALLENGE_HEADER]: `${good}, ${good}` },
    { [CHALLENGE_HEADER]: good.slice(1) },
    { [CHALLENGE_HEADER]: notCanonical },
    { [CHALLENGE_HEADER]: good, "Sallyport-Purpose": "other" },
  ]) {
    const dialled = await dial(site, { headers: headers as Record<string, string> });
    assert.equal(dialled.ok, false);
    assert.equal(!dialled.ok && dialled.status, 400);
  }
});

test("a ping session is let in beside full places, and serves nothing else", async () => {
  const full = [await open(), await open()];
  const busy = await dial(site);
  assert.equal(!busy.ok && busy.status, 503);
  assert.match(!busy.ok ? busy.reason : "", /agent\.busy/);
  const ping = await open({ ping: true });
  await ping.request({ ...readOrders });
  const [error] = await ping.messages();
  assert.equal(error?.kind === "error" && error.body.code, "request.refused");
  for (const sender of full) {
    await sender.request();
    assert.equal((await sender.messages()).at(-1)?.kind, "end");
  }
});

test("an altered frame ends the session with protocol.integrity", async () => {
  const sender = await open();
  await sender.request({ ...readOrders });
  sender.socket.send(Buffer.concat([Buffer.of(0x03), randomBytes(40)]));
  assert.equal(await sender.closed, 1002);
});

test("status tells that it is ready; the journal's chain holds; no password is anywhere", async () => {
  const status = await site.cli(["status", "--json", "--state", site.state]);
  assert.equal(status.code, 0);
  assert.equal((JSON.parse(status.stdout) as { ready: boolean }).ready, true);
  const verified = await site.cli(["journal", "verify", "--state", site.state]);
  assert.equal(verified.code, 0, verified.stdout);
  const tail = await site.cli(["journal", "tail", "--state", site.state]);
  assert.match(tail.stdout, /sql\.table +erp +hr\.Salaries +- +policy\.denied/);
  const [log, usage] = [agent.log(), readFileSync(join(site.state, "usage.json"), "utf8")];
  assert.doesNotMatch(log + usage + JSON.stringify(site.journal()), new RegExp(PASSWORD.slice(0, 8)));
  // A login that the policy lists may stand in the journal, and nowhere else.
  const withoutLogins = site.journal().map(({ login: _login, ...line }) => line);
  assert.doesNotMatch(log + usage + JSON.stringify(withoutLogins), /svc/);
});

test("SIGTERM drains: a waiting session goes on, new ones are turned down, then exit 0", async () => {
  const sender = await open();
  const stopped = agent.stop();
  await site.journaled(({ event }) => event === "drain");
  const turnedDown = await dial(site);
  assert.match(!turnedDown.ok ? turnedDown.reason : "", /agent\.draining/);
  await sender.request();
  assert.equal((await sender.messages()).at(-1)?.kind, "end");
  assert.equal(await stopped, 0);
  assert.equal(site.journal().at(-1)?.event, "stop");
  assert.equal((await site.cli(["status", "--state", site.state])).code, 1);
});
