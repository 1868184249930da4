/** What a session gets of the mask key, and how it ends when somebody stops it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, broken, counted, END, KEY, lines, MASK_KEY, REQUEST, sleeping } from "./test-session.ts";

test("the mask key's id is in every hello; the key goes to a request whose rule hashes, and to no other", async () => {
  const people = { ...REQUEST, request: "2".repeat(32), object: "dbo.People", rule: "people" };
  for (const [request, maskKey] of [
    [people, Buffer.from(MASK_KEY.key).toString("base64url")],
    [REQUEST, undefined],
  ] as const) {
    const { say, heard, told, exit, session } = begin();
    await told("session");
    say(KEY);
    await told("hello");
    const hello = heard.find((each) => each.say === "hello");
    const payload =
      Buffer.from(hello?.record ?? "", "base64url")
        .toString("latin1")
        .split(".")[1] ?? "";
    assert.equal(JSON.parse(Buffer.from(payload, "base64url").toString()).maskKey, MASK_KEY.id);
    say(request);
    const go = heard.at(-1);
    assert.equal(go?.say, "go");
    assert.equal(go?.say === "go" ? go.maskKey : "", maskKey);
    say(END);
    exit(0);
    await session.ended;
    assert.doesNotMatch(JSON.stringify(lines), new RegExp(MASK_KEY.id));
  }
});

test("a session that is stopped and does not say so is killed after 3 s, with the code of whoever stopped it", async () => {
  const { session, say, heard } = begin();
  say(KEY, REQUEST);
  session.stop("agent.locked", "The agent's owner locked it.");
  assert.deepEqual(heard.at(-1), { say: "stop", code: "agent.locked", message: "The agent's owner locked it." });
  const last = sleeping.at(-1)!;
  assert.equal(last.ms, 3_000);
  last.go();
  await session.ended;
  assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.code], ["end", "agent.locked"]);
});

test("a request that comes after the stop gets no more time by it", async () => {
  const { session, say } = begin();
  say(KEY);
  session.stop("agent.revoked", "revoked");
  say(REQUEST);
  assert.equal(sleeping.at(-1)?.ms, 3_000);
  sleeping.at(-1)?.go();
  await session.ended;
  assert.equal(lines.at(-1)?.code, "agent.revoked");
});

test("a connection that was removed before the request came is refused, and nothing of it is contacted", async () => {
  const { session, say, heard, exit } = begin();
  say(KEY);
  broken.connection("erp");
  say(REQUEST);
  const refusal = heard.at(-1);
  assert.equal(refusal?.say === "refuse" && refusal.code, "policy.denied");
  assert.deepEqual([lines.at(-1)?.decision, lines.at(-1)?.code, counted], ["deny", "policy.denied", []]);
  exit(0);
  await session.ended;
});

test("what a drain stops has the drain's time; its own last word counts before any kill", async () => {
  const { session, say, exit } = begin();
  say(KEY, REQUEST);
  const before = sleeping.length;
  session.stop("agent.draining", "The agent is stopping.");
  assert.equal(sleeping.length, before);
  say({ ...END, code: "write.outcome_unknown" });
  exit(0);
  await session.ended;
  assert.equal(lines.at(-1)?.code, "write.outcome_unknown");
});
