import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERRORS, type ErrorRow, isErrorCode, isRetryable, SallyportError, toSallyportError } from "./errors.ts";

describe("the table of errors", () => {
  const rows: readonly (readonly [string, ErrorRow])[] = Object.entries(ERRORS);
  for (const [code, row] of rows) {
    it(code, () => {
      assert.match(code, /^[a-z]+\.[a-z]+(_[a-z]+)*$/);
      assert.ok(Number.isInteger(row.http) && row.http >= 400 && row.http <= 599);
      assert.match(row.advice, /^[A-Z].{10,}[^.]\.$/);
      assert.ok(["never", "later", "free"].includes(row.retry));
    });
  }
  it("has the codes that docs/errors.md names", () => {
    const named =
      "enrolment.refused agent.offline agent.busy agent.locked agent.draining policy.denied protocol.integrity " +
      "protocol.version connection.unreachable connection.tls connection.login_failed connection.account_locked " +
      "sql.syntax sql.deadlock sql.timeout sql.permission sql.watermark_lost limit.rows limit.bytes " +
      "limit.time request.cancelled request.expired executor.crashed value.not_exact agent.pending " +
      "agent.journal_unwritable agent.interrupted protocol.credit limit.memory " +
      "sql.snapshot_unavailable request.plan_changed write.outcome_unknown connection.windows_login_refused";
    assert.deepEqual(
      named.split(" ").filter((code) => !isErrorCode(code)),
      [],
    );
  });
  it("says what costs no attempt: what is not there or full now", () => {
    const free = rows.filter(([, row]) => row.retry === "free").map(([code]) => code);
    assert.deepEqual(free.sort(), [
      "agent.busy",
      "agent.draining",
      "agent.locked",
      "agent.offline",
      "limit.sessions",
      "sink.busy",
    ]);
  });
});

describe("codes and errors", () => {
  it("only codes of the table are codes, not what every object has", () => {
    assert.ok(isErrorCode("agent.busy"));
    for (const text of ["agent.bored", "", "toString", "__proto__", "constructor"]) assert.ok(!isErrorCode(text));
  });
  it("retryable is every retry but never", () => {
    assert.equal(isRetryable("policy.denied"), false);
    assert.equal(isRetryable("sql.deadlock"), true);
    assert.equal(isRetryable("agent.busy"), true);
  });
  it("what is not ours gets our code and our words, and keeps its cause apart", () => {
    const theirs = new Error("row value 4711 is wrong");
    const wrapped = toSallyportError(theirs, "sql.failed", "The statement failed.");
    assert.deepEqual([wrapped.code, wrapped.message, wrapped.cause], ["sql.failed", "The statement failed.", theirs]);
    assert.doesNotMatch(JSON.stringify({ ...wrapped, cause: undefined }), /4711/);
    const ours = new SallyportError("limit.rows", "Too many.", { rows: 1 });
    assert.equal(toSallyportError(ours, "sql.failed", "x"), ours);
  });
});
