import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { errorBody } from "@sallyport/shared/protocol/frames.ts";
import { parsePolicy } from "../policy/file.ts";
import { errorBodyOf } from "./error-body.ts";

test("a policy that is not valid tells the orchestrator that, and nothing that stands in it", () => {
  let thrown: unknown;
  try {
    parsePolicy("v: 1\nconnections:\n  payroll: { secretKey: 1 }\n");
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof SallyportError);
  const body = errorBodyOf(thrown);
  assert.equal(body.code, "policy.invalid");
  assert.deepEqual(body.detail, {});
  assert.doesNotMatch(JSON.stringify(body), /payroll|secretKey|line|[0-9]/);
});

test("other errors keep their message and a bounded detail", () => {
  const body = errorBodyOf(
    new SallyportError("sql.failed", `a\u0000b${"c".repeat(600)}`, {
      ...{ number: 5, long: "x".repeat(300) },
      ...{ text: "a\u001b[2J", texts: ["b\nc"] },
    }),
  );
  assert.equal(errorBody.safeParse(body).success, true);
  assert.equal(body.message, `a b${"c".repeat(497)}`);
  assert.deepEqual(body.detail, { number: 5, long: "x".repeat(256), text: "a [2J", texts: ["b c"] });
});
