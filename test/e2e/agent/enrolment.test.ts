import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { formatCode } from "@sallyport/shared/crypto/enrolment.ts";
import { type Site, startSite } from "./site.ts";

/** A code that nobody issued. */
const OTHER_CODE = formatCode({ codeId: "00000000", secret: "0".repeat(20) });
let site: Site;
before(async () => {
  site = await startSite();
});
after(() => site.close());

test("a code that does not check is refused before anything is sent or written", async () => {
  const { code, stderr } = await site.enroll("0000-0000.0000-0000-0000-0000-0000-1");
  assert.equal(code, 64);
  assert.match(stderr + (await site.enroll("nonsense")).stdout, /enrolment\.mistyped/);
  assert.equal(existsSync(site.state), false);
});

test("a code on the command line is refused without being repeated", async () => {
  for (const args of [["--code", "ABCD-1234"], ["--code=ABCD-1234"], ["ABCD-1234"]]) {
    const { code, stdout, stderr } = await site.cli(["enroll", "--origin", site.orchestrator.origin, ...args]);
    assert.equal(code, 64);
    assert.doesNotMatch(stdout + stderr, /ABCD-1234/);
  }
});

test("http: is refused", async () => {
  const { code, stderr } = await site.cli(
    ["enroll", "--origin", "http://localhost:1", "--code-file", "-"],
    site.orchestrator.code(),
  );
  assert.equal(code, 78);
  assert.match(stderr, /https/);
});

test("a lost answer is asked for again with the same bytes, and pins one agent", async () => {
  const code = site.orchestrator.code();
  site.orchestrator.faults.loseEnrolAnswers = 1;
  assert.equal((await site.enroll(code)).code, 69);
  assert.equal(existsSync(join(site.state, "pinned.json")), false);
  const again = await site.enroll(code);
  assert.equal(again.code, 0, again.stderr);
  assert.equal(site.orchestrator.agents.size, 1);
  const answer = JSON.parse(again.stdout) as Record<string, unknown>;
  assert.equal(answer.status, "active");
  assert.equal(answer.agent, site.agentId());
  assert.match(String(answer.agentFingerprint), /^SHA256:/);
});

test("state is private, the policy denies everything, the journal begins", () => {
  for (const file of ["keys/identity.jwk", "keys/unseal.jwk", "pinned.json", "agent.yaml", "policy.yaml"]) {
    assert.equal(statSync(join(site.state, file)).mode & 0o777, 0o600, file);
  }
  assert.equal(statSync(join(site.state, "keys")).mode & 0o777, 0o700);
  assert.match(readFileSync(join(site.state, "policy.yaml"), "utf8"), /^connections: \{\}$/m);
  assert.deepEqual(
    site.journal().map(({ event }) => event),
    ["enrol"],
  );
});

const keys = (): string[] =>
  ["identity", "unseal"].map((name) => readFileSync(join(site.state, "keys", `${name}.jwk`), "utf8"));

test("an answer whose MAC does not fit, or none, changes nothing: the agent that was there still works", async () => {
  const before = site.agentId();
  const keysBefore = keys();
  site.orchestrator.faults.swapEnrolAnswer = true;
  const { code, stdout } = await site.enroll(site.orchestrator.code());
  site.orchestrator.faults.swapEnrolAnswer = false;
  assert.equal(code, 77);
  assert.match(stdout, /enrolment\.intercepted/);
  assert.equal((await site.enroll(OTHER_CODE)).code, 77);
  assert.equal(site.agentId(), before);
  assert.deepEqual(keys(), keysBefore);
  const agent = await site.start();
  assert.equal(await agent.stop(), 0);
});

test("enrolling again keeps the journal by the owner's limits, not by ours", async () => {
  const oldest = join(site.state, "journal", "0000000001.jsonl");
  renameSync(join(site.state, "journal", "journal.jsonl"), oldest);
  const yearsAgo = Date.now() / 1000 - 1000 * 86_400;
  utimesSync(oldest, yearsAgo, yearsAgo);
  site.addConfig("journal: { maxDays: 3650 }\n");
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  assert.equal(existsSync(oldest), true);
  const verified = await site.cli(["journal", "verify", "--state", site.state]);
  assert.equal(verified.code, 0, verified.stdout);
});

test("a used code is refused", async () => {
  const code = site.orchestrator.code();
  assert.equal((await site.enroll(code)).code, 0);
  const other = await site.cli(
    [
      "enroll",
      "--json",
      "--origin",
      site.orchestrator.origin,
      "--code-file",
      "-",
      "--state",
      `${site.state}-2`,
      "--ca",
      site.caFile,
    ],
    code,
  );
  assert.equal(other.code, 77);
  assert.match(other.stdout, /enrolment\.refused/);
});

test("a pending agent says so and is told no listen URL", async () => {
  const { code, stdout } = await site.enroll(site.orchestrator.code(false));
  assert.equal(code, 0);
  assert.equal((JSON.parse(stdout) as { status: string }).status, "pending");
  const pinned = JSON.parse(readFileSync(join(site.state, "pinned.json"), "utf8")) as { listenUrl: unknown };
  assert.equal(pinned.listenUrl, null);
});
