/** What `sallyport journal` prints, to the letter; the journal is written by the product, by a clock that stands. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Journal, openJournal } from "../journal/journal.ts";
import type { JournalFacts } from "../journal/line.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const NODE = ["--disable-warning=ExperimentalWarning", MAIN];
let state: string;
let head: string;
let nowMs = Date.UTC(2026, 10, 22, 9, 14, 2);
const openAt = (folder: string): Journal =>
  openJournal(join(folder, "journal"), { maxBytes: 2 ** 20, maxDays: 400, nowMs: () => nowMs });

const id = (digit: string) => digit.repeat(32);
const allowed = { event: "request", decision: "allow", reported: true } as const;
/** Seconds after the one before, and the line. */
const LINES: readonly (readonly [number, JournalFacts])[] = [
  [0, { event: "start", agent: id("a"), site: "oslo", version: "1.0.0", host: "erp-host-1" }],
  [0, { event: "token" }],
  [
    3,
    {
      ...allowed,
      request: id("1"),
      pull: "orders",
      caller: "pull:orders",
      connection: "erp",
      op: "sql.table",
      object: "dbo.Orders",
      rule: "orders",
      login: "svc",
    },
  ],
  [
    5,
    {
      event: "request",
      request: id("2"),
      caller: "key:sp_erp",
      connection: "erp",
      op: "sql.table",
      object: "dbo.Products",
      decision: "deny",
      code: "policy.denied",
      reported: true,
    },
  ],
  [
    0,
    {
      event: "end",
      request: id("2"),
      connection: "erp",
      code: "policy.denied",
      rowsOut: 0,
      bytesOut: 0,
      durationMs: 3,
      reported: true,
    },
  ],
  [
    1,
    {
      event: "end",
      request: id("1"),
      pull: "orders",
      connection: "erp",
      rowsOut: 12_480,
      bytesOut: 912_345,
      durationMs: 1904,
      reported: true,
    },
  ],
  [
    52,
    {
      event: "request",
      request: id("3"),
      caller: "pull:staff",
      connection: "corp",
      op: "ad.changes",
      object: "OU=Staff,DC=corp,DC=example",
      rule: "staff",
      decision: "allow",
      reported: true,
    },
  ],
  [
    1,
    {
      event: "end",
      request: id("3"),
      connection: "corp",
      rowsOut: 14,
      bytesOut: 6_000,
      durationMs: 212,
      reported: true,
    },
  ],
  [
    2,
    {
      ...allowed,
      request: id("4"),
      caller: "key:sp_erpclose",
      connection: "erp",
      op: "sql.write",
      action: "update",
      object: "dbo.OrderStatus",
      rule: "write-status",
      login: "svc",
    },
  ],
  [
    1,
    {
      event: "login",
      request: id("4"),
      connection: "erp",
      login: "svc",
      decision: "deny",
      code: "connection.login_failed",
    },
  ],
  [
    0,
    {
      event: "end",
      request: id("4"),
      connection: "erp",
      code: "connection.login_failed",
      source: "18456/8",
      rowsOut: 0,
      bytesOut: 0,
      durationMs: 41,
      reported: true,
    },
  ],
  [20, { event: "rotate", key: "identity", kid: "k".repeat(43) }],
  [9, { event: "lock", decision: "deny" }],
  [60, { event: "lock", decision: "allow" }],
  [
    4,
    {
      ...allowed,
      request: id("5"),
      caller: "pull:orders",
      connection: "erp",
      op: "sql.query",
      object: "openInvoices",
      rule: "open-invoices",
      login: "svc",
    },
  ],
];

before(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-journal-cli-"));
  mkdirSync(join(state, "journal"));
  const journal = openAt(state);
  for (const [seconds, facts] of LINES) {
    nowMs += seconds * 1000;
    journal.append(facts);
  }
  const { seq, hash } = journal.head()!;
  head = `${seq}:${hash}`;
  journal.close();
});
after(() => rmSync(state, { recursive: true, force: true }));

const sallyport = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE, ...args], { encoding: "utf8" });
  return { status, stdout: stdout.replaceAll(state, "/var/lib/sallyport"), stderr };
};
const stored = (name: string) => readFileSync(new URL(`./transcripts/${name}.txt`, import.meta.url), "utf8");
const matches = (name: string, args: readonly string[], exit = 0) => {
  const { status, stdout, stderr } = sallyport(...args, "--state", state);
  assert.equal(stdout, stored(name));
  assert.deepEqual([status, stderr], [exit, ""]);
};

test("tail: a row for each session and each act", () => matches("journal-tail", ["journal", "tail"]));
test("tail -n: the last rows", () => matches("journal-tail-2", ["journal", "tail", "-n", "2"]));
test("tail --since: what came after", () =>
  matches("journal-tail-since", ["journal", "tail", "--since", "2026-11-22T09:15:20Z"]));
test("tail --json: the journal's own lines", () => {
  const { stdout } = sallyport("journal", "tail", "--json", "-n", "100", "--state", state);
  assert.equal(stdout, readFileSync(join(state, "journal", "journal.jsonl"), "utf8"));
});
for (const wrong of [
  ["--since", "yesterday"],
  ["--since", "0h"],
  ["-n", "0"],
  ["--head", "1:x"],
]) {
  test(`${wrong.join(" ")} is 64`, () => {
    const verb = wrong[0] === "--head" ? "verify" : "tail";
    assert.equal(sallyport("journal", verb, ...wrong, "--state", state).status, 64);
  });
}

test("verify: in order, with the head that can be told to somebody", () =>
  matches("journal-verify", ["journal", "verify"]));
test("verify --head: the line is there", () => matches("journal-verify-head", ["journal", "verify", "--head", head]));

/** The same journal with its text changed; `act` looks at the folder meanwhile. */
function altered(change: (lines: string[]) => string[], act: () => void): void {
  const file = join(state, "journal", "journal.jsonl");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, change(text.split(/(?<=\n)/)).join(""));
  try {
    act();
  } finally {
    writeFileSync(file, text);
  }
}

test("verify: a changed line is 1, with its number and what to do", () =>
  altered(
    (lines) => lines.with(4, lines[4]!.replace("policy.denied", "policy.invalid")),
    () => matches("journal-verify-changed", ["journal", "verify"], 1),
  ));
test("verify: a cut end is 1, by the line that somebody else knows", () =>
  altered(
    (lines) => lines.slice(0, 11),
    () => {
      assert.equal(sallyport("journal", "verify", "--state", state).status, 0);
      matches("journal-verify-cut", ["journal", "verify", "--head", head], 1);
    },
  ));

test("verify --json: one object", () => {
  const { stdout } = sallyport("journal", "verify", "--json", "--state", state);
  const [seq, hash] = head.split(":");
  assert.deepEqual(JSON.parse(stdout), {
    ...{ ok: true, lines: 15, firstSeq: 1, from: "2026-11-22T09:14:02.000Z", to: "2026-11-22T09:16:40.000Z" },
    ...{ head: { seq: Number(seq), hash }, known: null },
  });
});

test("tail --follow: what comes is shown as it comes, a session with its end, and Ctrl-C ends it with 0", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-follow-"));
  mkdirSync(join(folder, "journal"));
  const journal = openAt(folder);
  journal.append({ event: "start", version: "1.0.0" });
  const child = spawn(process.execPath, [...NODE, "journal", "tail", "--follow", "--state", folder]);
  let said = "";
  let more = Promise.withResolvers<void>();
  child.stdout.on("data", (piece: Buffer) => {
    said += piece;
    more.resolve();
  });
  const rows = () => said.trimEnd().split("\n");
  const until = async (count: number) => {
    while (rows().length < count) {
      more = Promise.withResolvers<void>();
      await more.promise;
    }
  };
  await until(2);
  journal.append({ ...allowed, request: id("7"), connection: "erp", op: "sql.table", object: "dbo.Orders" });
  journal.append({ event: "policy" });
  await until(3);
  journal.append({ event: "end", request: id("7"), connection: "erp", rowsOut: 5, bytesOut: 70, durationMs: 9 });
  await until(4);
  assert.deepEqual(
    rows()
      .slice(1)
      .map((row) => row.split(/ +/).slice(1, 3).join(" ")),
    ["start -", "policy -", "sql.table erp"],
  );
  assert.match(rows()[3] ?? "", /dbo\.Orders .* ok +5 +70 B +9/);
  const ended = once(child, "exit");
  child.kill("SIGINT");
  assert.deepEqual(await ended, [0, null]);
  journal.close();
  rmSync(folder, { recursive: true });
});
