import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { readBer } from "../ber.ts";
import type { Connection, Request } from "../connection.ts";
import type { Result } from "../message.ts";
import { change } from "./request.ts";

const REQUEST: Request = { messageId: 0, write: () => Buffer.alloc(0) };

const right = "Write property";
const answering = (code: number, diagnostic = ""): Connection =>
  ({
    ask: async (): Promise<Result> => ({
      ...{ code, matchedDn: "", diagnostic, referrals: [], controls: new Map(), rest: readBer(Buffer.alloc(0)) },
    }),
  }) as unknown as Connection;

test("each refusal of a change has its code", async () => {
  const RESTRICTION = "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n\0";
  const RESTRICTED = { diagnostic: RESTRICTION };
  const cases: Readonly<Record<string, { result: number; diagnostic?: string; sets?: "password"; code: string }>> = {
    "no such value": { result: 16, code: "directory.value_invalid" },
    "a value that breaks a rule": { result: 19, code: "directory.value_invalid" },
    "a password that breaks a rule": { result: 19, sets: "password", code: "directory.password_policy" },
    "the same, as Windows says it": { result: 53, ...RESTRICTED, code: "directory.password_policy" },
    "a right that is missing": { result: 50, code: "directory.permission" },
    "an attribute that the class needs": { result: 65, code: "directory.value_invalid" },
    "others below it": { result: 66, code: "directory.not_empty" },
    "another of that name": { result: 68, code: "directory.exists" },
    "a busy controller": { result: 51, code: "directory.busy" },
  };
  for (const [name, { result, diagnostic, sets = "other", code }] of Object.entries(cases)) {
    await assert.rejects(change(answering(result, diagnostic), REQUEST, { sets, right }), { code }, name);
  }
  await change(answering(0), REQUEST, { sets: "other", right });
});

test("an end without an answer leaves it open", async () => {
  const lost = {
    ask: () => Promise.reject(new SallyportError("connection.lost", "gone")),
  } as unknown as Connection;
  await assert.rejects(change(lost, REQUEST, { sets: "other", right }), { code: "write.outcome_unknown" });
});

test("a right that is missing is named", async () => {
  await assert.rejects(change(answering(50, "00002098: SecErr: DSID-0"), REQUEST, { sets: "other", right }), {
    ...{ code: "directory.permission", message: "The login lacks a right in the directory: Write property." },
    detail: { number: 50, state: "2098", right },
  });
});
