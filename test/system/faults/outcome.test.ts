import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { journalFacts } from "@sallyport/agent/src/journal/line.ts";
import { ERRORS, type ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { type Expected, FIELDS, type Outcome, outcomeFaults } from "./outcome.ts";

const run = (state: RunView["state"], code?: ErrorCode): RunView => ({
  ...({ id: "p.1-a", pull: "p", kind: "manual" } as RunView),
  state,
  error: code ? { code, message: "It failed.", advice: ERRORS[code].advice, at: "", facts: {} } : null,
});
const session = (request: string, code?: string) => [
  { seq: 1, event: "request", request, decision: "allow" },
  { seq: 2, event: "end", request, ...(code === undefined ? {} : { code }) },
];

const published: Outcome = {
  run: run("published"),
  said: ["connection.lost"],
  parts: 2,
  hasManifest: true,
  manifests: 1,
  ids: [1, 2, 3, 4],
  journal: [...session("a", "connection.lost"), ...session("b")],
  journalText: "metadata",
  agent: "alive",
};
const retried: Expected = {
  end: "published",
  says: "connection.lost",
  sessions: ["connection.lost", "ok"],
  rows: 4,
  secrets: ["a-mark"],
};
const failed: Outcome = {
  ...published,
  run: run("failed", "sql.failed"),
  said: ["sql.failed"],
  parts: 0,
  hasManifest: false,
  manifests: 0,
  ids: [],
  journal: session("a", "sql.failed"),
};
const failing: Expected = { ...retried, end: "sql.failed", says: "sql.failed", sessions: ["sql.failed"] };

describe("what must come of a fault", () => {
  it("is that a repeated run has every row once, and a failed one nothing", () => {
    assert.deepEqual(outcomeFaults(published, retried), []);
    assert.deepEqual(outcomeFaults(failed, failing), []);
  });
  it("may be one of several ends where chance decides, and more tries than one", () => {
    const either: Expected = { ...retried, sessions: [["ok", "connection.lost"], "ok"] };
    assert.deepEqual(outcomeFaults(published, either), []);
    assert.deepEqual(outcomeFaults({ ...published, journal: [...published.journal, ...session("c")] }, either), []);
  });
});

describe("a wrong outcome is found", () => {
  const planted: Record<string, [Outcome, Expected, RegExp]> = {
    "a lost row": [{ ...published, ids: [1, 2, 4] }, retried, /^1 rows are lost$/],
    "a repeated row": [{ ...published, ids: [1, 2, 3, 3, 4] }, retried, /^1 rows came twice$/],
    "a row that was never there": [{ ...published, ids: [1, 2, 3, 4, 5] }, retried, /^1 rows are not the table's$/],
    "a part of a failed run": [{ ...failed, parts: 1 }, failing, /^1 parts of a failed run can be seen$/],
    "a manifest of a failed run that no run names": [{ ...failed, manifests: 1 }, failing, /has a manifest$/],
    "rows of a failed run": [{ ...failed, ids: [1] }, failing, /^1 rows of a failed run can be read$/],
    "a failure that should have passed": [
      { ...published, run: run("failed", "connection.lost") },
      retried,
      /^the run is failed, not published: connection.lost$/,
    ],
    "success where there should be a failure": [{ ...failed, run: run("published") }, failing, /^the run is published/],
    "a wrong code": [
      { ...failed, run: run("failed", "sql.syntax") },
      failing,
      /^the run's code is sql.syntax, not sql/,
    ],
    "another advice": [
      { ...failed, run: { ...failed.run, error: { ...failed.run.error!, advice: "Do something." } } },
      failing,
      /^the advice is not the table's$/,
    ],
    "a wait that said something else": [{ ...published, said: ["sql.failed"] }, retried, /^the run never said/],
    "a missing line before contact": [
      { ...published, journal: published.journal.slice(1) },
      retried,
      /^1 sessions have 2 ends$/,
    ],
    "a missing line after it": [
      { ...published, journal: published.journal.slice(0, -1) },
      retried,
      /^the lines of session b are request$/,
    ],
    "no line at all": [{ ...published, journal: [] }, retried, /^the sessions ended with no line/],
    "a refused login without its line": [
      { ...failed, journal: session("a", "connection.login_failed") },
      { ...failing, sessions: ["connection.login_failed"] },
      /^the lines of session a are request, end$/,
    ],
    "another code in the journal": [
      { ...failed, journal: session("a", "sql.timeout") },
      failing,
      /^the sessions ended with sql.timeout, not sql.failed$/,
    ],
    "a field that is no metadata": [
      { ...failed, journal: failed.journal.map((line) => ({ ...line, row: "Alice" })) },
      failing,
      /^the journal has a field row$/,
    ],
    "a value in the journal": [
      { ...failed, journalText: "… a-mark …" },
      failing,
      /^the journal holds what it must not$/,
    ],
    "an agent that is gone": [{ ...published, agent: "ended" }, retried, /^the agent is ended$/],
    "an agent that was started anew": [{ ...published, agent: "another" }, retried, /^the agent is another$/],
  };
  for (const [name, [seen, expected, says]] of Object.entries(planted))
    it(name, () =>
      assert.ok(
        outcomeFaults(seen, expected).some((fault) => says.test(fault)),
        String(outcomeFaults(seen, expected)),
      ),
    );
});

it("knows each field of the journal: a read's, or one of something else", () => {
  const others = "host key kid action asked bytesAtMost rowsReserved effect firstKept".split(" ");
  const all = ["seq", "at", "prev", ...Object.keys(journalFacts.shape)];
  assert.deepEqual([...FIELDS, ...others].sort(), all.sort());
});
