/** The supervisor against an executor that cannot be trusted, and against a journal that cannot be written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { hashLogin } from "../journal/login.ts";
import type { ToExecutor, ToSupervisor } from "../pipe/messages.ts";
import type { Offer } from "./session-deps.ts";
import { begin, broken, counted, END, KEY, lines, OFFER, opened, publicKey, REQUEST, STAFF } from "./test-session.ts";

const sent = (heard: readonly ToExecutor[]) => heard.map(({ say }) => say);

test("one hello of the supervisor's own making, go after the journal's line, an end marked as reported", async () => {
  const { session, heard, say, exit, told } = begin();
  await told("session");
  say(KEY);
  await told("hello");
  const hello = heard.find((each) => each.say === "hello");
  const compact = Buffer.from(hello?.record ?? "", "base64url")
    .subarray(1)
    .toString();
  const verified = await verifyJws(compact, { purpose: "hello", alg: "EdDSA" }, () => publicKey);
  assert.equal(verified.ok && (JSON.parse(verified.payload.toString()) as Offer).challenge, OFFER.challenge);
  say(REQUEST);
  assert.equal(lines.length, 1);
  assert.deepEqual([heard.at(-1), lines[0]?.bytesReserved], [{ say: "go", bytes: 999 }, 999]);
  say({ say: "accepted" }, END);
  exit(0);
  await session.ended;
  const [request, end] = lines;
  assert.deepEqual([request?.event, request?.rule, request?.decision], ["request", "orders", "allow"]);
  assert.deepEqual(
    [end?.event, end?.rowsOut, end?.bytesOut, end?.reported, end?.code],
    ["end", 5, 700, true, undefined],
  );
  assert.deepEqual(counted, ["begun", "accepted", "released 700"]);
  assert.equal(request?.login, "login:LLLLLLLL");
  assert.doesNotMatch(JSON.stringify(lines), /L{9}/);
});

test("a login that was not taken has a line of its own, before the end; one that was taken or never sent has none", async () => {
  const svc = hashLogin(Buffer.from("k".repeat(43), "base64url"), "sql01:1433", "svc", "sql");
  for (const [words, logins] of [
    [[{ ...END, code: "connection.login_failed", source: "18456/1" }], ["svc connection.login_failed"]],
    [[], ["svc executor.crashed"]],
    [[{ say: "accepted" }, END], []],
    [[{ ...END, code: "connection.unreachable", unsent: true }], []],
  ] as const) {
    lines.length = 0;
    const { session, say, exit } = begin();
    say(KEY, { ...REQUEST, login: svc }, ...(words as readonly ToSupervisor[]));
    exit(words.length === 0 ? 70 : 0);
    await session.ended;
    assert.equal(lines[0]?.login, "svc");
    const own = lines.filter(({ event }) => event === "login").map(({ login, code }) => `${login} ${code}`);
    assert.deepEqual(own, logins);
    assert.equal(lines.at(-1)?.event, "end");
  }
});

for (const [what, messages] of [
  ["asks for a second hello", [KEY, KEY]],
  ["names a request before its key", [REQUEST]],
  ["names a second request", [KEY, REQUEST, REQUEST]],
  ["ends twice", [KEY, END, END]],
  ["signs in before it may", [KEY, { say: "accepted" }]],
  ["signs in twice", [KEY, REQUEST, { say: "accepted" }, { say: "accepted" }]],
  ["names a rule that the policy does not have", [KEY, { ...REQUEST, rule: "invented" }]],
  ["names a deny rule as what allows", [KEY, { ...REQUEST, rule: "never" }]],
  ["names a connection that the policy does not have", [KEY, { ...REQUEST, connection: "crm" }]],
  ["names a table that its rule does not cover", [KEY, { ...REQUEST, object: "hr.Salaries" }]],
  ["names no table", [KEY, { ...REQUEST, object: undefined }]],
  ["names a table as a statement's", [KEY, { ...REQUEST, rule: "open" }]],
  ["names another statement", [KEY, { ...REQUEST, op: "sql.query", rule: "open", object: "other" }]],
  ["names a statement under a rule for tables", [KEY, { ...REQUEST, op: "sql.query" }]],
  ["names a table that another rule denies", [KEY, { ...STAFF, object: "hr.Salaries" }]],
  ["names a caller that the rule does not list", [KEY, { ...STAFF, caller: "pull:orders" }]],
  ["takes more time than the policy gives", [KEY, { ...STAFF, seconds: 31 }]],
  ["takes more bytes than the policy gives", [KEY, { ...REQUEST, bytes: 20 * 2 ** 30 + 1 }]],
  ["says nothing of its login", [KEY, { ...REQUEST, login: undefined }]],
  ["denies without a code", [KEY, { ...REQUEST, decision: "deny" }]],
  ["denies and takes its time", [KEY, { ...REQUEST, decision: "deny", code: "policy.denied", seconds: 61 }]],
] as const) {
  test(`an executor that ${what} is killed, and the journal says executor.crashed`, async () => {
    const { session, say, heard } = begin();
    say(...(messages as readonly ToSupervisor[]));
    await session.ended;
    assert.equal(lines.at(-1)?.code, "executor.crashed");
    assert.ok(sent(heard).filter((each) => each === "hello").length <= 1);
  });
}

test("what the policy covers is let through, marked as the executor's word", () => {
  const statement = { ...REQUEST, op: "sql.query" as const, rule: "open", object: "openOrders" };
  for (const request of [STAFF, statement]) {
    const { say, heard } = begin();
    say(KEY, { ...request, request: request.rule!.padStart(32, "0").replace(/[a-z]/g, "a") });
    assert.equal(sent(heard).at(-1), "go");
    assert.equal(lines.at(-1)?.reported, true);
  }
});

test("a request under the id of one that is running is refused; once that has ended it is not", async () => {
  const [first, second, third] = [begin(), begin(), begin()];
  first.say(KEY, REQUEST);
  second.say(KEY, REQUEST);
  const refusal = second.heard.at(-1);
  assert.equal(refusal?.say === "refuse" && refusal.code, "request.refused");
  second.say({ ...END, code: "request.refused" });
  second.exit(0);
  await second.session.ended;
  assert.deepEqual(
    lines.map(({ event }) => event),
    ["request", "session"],
  );
  first.exit(0);
  await first.session.ended;
  third.say(KEY, REQUEST);
  assert.equal(sent(third.heard).at(-1), "go");
});

test("a ping session that names a read is killed", async () => {
  const { session, say, heard } = begin({ ...OFFER, ping: true });
  say(KEY, REQUEST);
  await session.ended;
  assert.ok(!sent(heard).includes("go"));
});

test("without a journal line there is no go", async () => {
  const { session, say, heard, exit } = begin();
  say(KEY);
  broken.journal();
  say(REQUEST);
  const refusal = heard.at(-1);
  assert.equal(refusal?.say === "refuse" && refusal.code, "agent.journal_unwritable");
  assert.deepEqual(counted, ["begun", "unsent", "released 0"]);
  exit(0);
  await session.ended;
  assert.deepEqual(lines, []);
});

test("a budget that is used up is journaled as a denial, and refused with its code", async () => {
  broken.budgets(new SallyportError("limit.logins", "too many"));
  const { session, say, heard, exit } = begin();
  say(KEY, REQUEST);
  assert.deepEqual([lines[0]?.decision, lines[0]?.code], ["deny", "limit.logins"]);
  const refusal = heard.at(-1);
  assert.equal(refusal?.say === "refuse" && refusal.code, "limit.logins");
  say({ ...END, code: "limit.logins", rowsOut: 0, bytesOut: 0 });
  exit(0);
  await session.ended;
  assert.equal(lines[1]?.code, "limit.logins");
});

for (const [what, end, code] of [
  ["killed for its memory", { killed: "memory" }, "limit.memory"],
  ["killed at its deadline", { killed: "deadline" }, "limit.time"],
  ["killed at our end", { killed: "shutdown" }, "agent.interrupted"],
  ["gone without a word", { exitCode: 70 }, "executor.crashed"],
] as const) {
  test(`an executor ${what} ends its session with ${code}`, async () => {
    const { session, say, exit, kill } = begin();
    say(KEY, REQUEST);
    if ("killed" in end) kill(end.killed);
    else exit(end.exitCode);
    await session.ended;
    assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.code, lines.at(-1)?.reported], ["end", code, undefined]);
    assert.equal(counted.at(-1), "released 999");
  });
}

const MIB = 2 ** 20;
for (const [what, messages, charged] of [
  ["said nothing of its bytes: a first step", [], 256 * MIB],
  [
    "went further: what it said last",
    [512, 900].map((more) => ({ say: "sending", bytes: more * MIB }) as const),
    900 * MIB,
  ],
  ["said more than was reserved: that", [{ say: "sending", bytes: 4096 * MIB }], 1024 * MIB - 1],
] as const) {
  test(`an executor that died is charged what it can have sent; one that ${what}`, async () => {
    const { session, say, kill } = begin();
    say(KEY, { ...REQUEST, bytes: 1024 * MIB }, ...messages);
    kill("memory");
    await session.ended;
    assert.deepEqual([lines.at(-1)?.bytesAtMost, counted.at(-1)], [charged, `released ${charged}`]);
  });
}

for (const [what, announced, said, charged] of [
  ["less than it had to send before it went further", 900, 0, 900 * MIB - 256 * MIB],
  ["more than was reserved", 900, 4096 * MIB, 1024 * MIB - 1],
  ["what can be", 900, 800 * MIB, 800 * MIB],
  ["nothing of a first step", 0, 0, 0],
] as const) {
  test(`an executor's own count of its bytes is held against what it announced and may; of ${what}`, async () => {
    const { session, say, exit } = begin();
    say(KEY, { ...REQUEST, bytes: 1024 * MIB });
    if (announced > 0) say({ say: "sending", bytes: announced * MIB });
    say({ ...END, bytesOut: said });
    exit(0);
    await session.ended;
    assert.deepEqual([lines.at(-1)?.bytesOut, counted.at(-1)], [charged, `released ${charged}`]);
  });
}

test("an executor that is not believed is charged all that was reserved", async () => {
  const { session, say } = begin();
  say(
    KEY,
    { ...REQUEST, bytes: 1024 * MIB },
    { say: "sending", bytes: 512 * MIB },
    { say: "sending", bytes: 300 * MIB },
  );
  await session.ended;
  assert.deepEqual(
    [lines.at(-1)?.code, lines.at(-1)?.bytesAtMost, counted.at(-1)],
    ["executor.crashed", undefined, "released undefined"],
  );
});

for (const [what, end, attempt] of [
  ["failed", { ...END, code: "connection.login_failed" }, []],
  ["was cancelled as soon as it was out", { ...END, code: "request.cancelled" }, []],
  ["was cut off as soon as it was out", { ...END, code: "protocol.truncated" }, []],
  ["was never heard of again", undefined, []],
  ["was never sent", { ...END, code: "connection.unreachable", unsent: true }, ["unsent"]],
] as const) {
  test(`a login that ${what}: its attempt ${attempt.length === 0 ? "stays counted" : "is taken back"}`, async () => {
    const { session, heard, say, exit } = begin();
    say(KEY, REQUEST);
    assert.deepEqual([counted, sent(heard).at(-1)], [["begun"], "go"]);
    if (end !== undefined) say(end);
    exit(0);
    await session.ended;
    assert.deepEqual(
      counted.filter((each) => each === "accepted" || each === "unsent"),
      attempt,
    );
  });
}

test("a count of logins that cannot be written is no session, and no end of the supervisor", async () => {
  broken.budgets(new Error("ENOSPC"));
  const { session, heard, say, exit } = begin();
  say(KEY, REQUEST);
  const refusal = heard.at(-1);
  assert.equal(refusal?.say === "refuse" && refusal.code, "agent.journal_unwritable");
  exit(0);
  await session.ended;
});

test("counts that cannot be written at a session's end cost neither its last line nor its place", async () => {
  broken.counts();
  const { session, say, exit } = begin();
  say(KEY, REQUEST, { ...END, unsent: true });
  exit(0);
  await session.ended;
  assert.equal(lines[1]?.event, "end");
  assert.equal(counted.at(-1), "released 700");
});

test("a session without request leaves one line", async () => {
  const { session, say, exit } = begin();
  say({ ...END, code: "protocol.order" });
  exit(0);
  await session.ended;
  assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.code], ["session", "protocol.order"]);
});

test("a run whose session was killed for its memory is told so by the next one, other runs are served", async () => {
  const RUN = { ...REQUEST, run: "orders.0000000000001-0000000a" };
  const first = begin();
  await first.told("session");
  first.say(KEY, RUN);
  first.kill("memory");
  await first.session.ended;
  assert.equal(lines.at(-1)?.code, "limit.memory");
  const second = begin();
  await second.told("session");
  second.say(KEY, { ...RUN, request: "2".repeat(32) });
  const refusal = second.heard.at(-1);
  assert.equal(refusal?.say === "refuse" && refusal.code, "limit.memory");
  assert.deepEqual([lines.at(-1)?.decision, lines.at(-1)?.code], ["deny", "limit.memory"]);
  second.say({ ...END, code: "limit.memory" });
  second.exit(0);
  await second.session.ended;
  const third = begin();
  await third.told("session");
  third.say(KEY, { ...RUN, run: "orders.0000000000001-0000000b", request: "3".repeat(32) });
  assert.equal(third.heard.at(-1)?.say, "go");
  third.exit(0);
  await third.session.ended;
  assert.deepEqual(opened.slice(0, 2), [`${"1".repeat(32)} false`, `${"2".repeat(32)} false`]);
});

test("what an executor says that cannot be true is no sign that the agent is reached", async () => {
  const { session, say, told } = begin();
  await told("session");
  say(KEY, { ...REQUEST, rule: "invented" });
  await session.ended;
  assert.deepEqual(opened, []);
});

test("a ping whose request cannot be read has come all the same", async () => {
  const { session, say, exit, told } = begin({ ...OFFER, ping: true });
  await told("session");
  say(KEY, { ...END, code: "request.invalid" });
  exit(0);
  await session.ended;
  assert.deepEqual(opened, ["unreadable true"]);
});

test("a denial names no rule that the policy does not have", () => {
  for (const [rule, written] of [
    ["never", "never"],
    ["jane.doe", undefined],
  ] as const) {
    const { say } = begin();
    const request = rule.padStart(32, "0").replace(/[^0]/g, "b");
    say(KEY, {
      ...REQUEST,
      request,
      rule,
      decision: "deny",
      code: "policy.denied",
      login: undefined,
      bytes: undefined,
    });
    assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.rule], ["request", written]);
  }
});
