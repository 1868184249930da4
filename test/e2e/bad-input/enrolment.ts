/** Codes that let nobody in: each says why not, and what to do next. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { drawCode, formatCode } from "@sallyport/shared/crypto/enrolment.ts";
import { ERRORS, type ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { type CommandResult, sallyport } from "../../stack/agent.ts";
import { SITE, type Stack, TENANT } from "../../stack/start.ts";
import { assertProblem, rawCall } from "./refusals.ts";

const USAGE = 64;
const REFUSED = 77;
const TRY_AGAIN = 75;

export function badEnrolments(stack: () => Stack): void {
  let folders = 0;
  const newFolder = () => join(stack().folder, `stranger-${++folders}`);
  const enroll = (code: string, folder: string, origin = stack().origin) => {
    const where = ["--origin", origin, "--state", folder, "--ca", join(stack().folder, "ca.pem")];
    return sallyport(["enroll", "--code-file", "-", ...where], `${code}\n`);
  };
  const newCode = async () => {
    const body = { autoApprove: true };
    return (await stack().api.post<{ code: string }>(`/tenants/${TENANT}/sites/${SITE}/codes`, body)).code;
  };

  it("a mistyped code is noticed before anything is sent or written", async () => {
    const code = await newCode();
    const folder = newFolder();
    // Nobody listens there: had anything been sent, the end would be another.
    const mistyped = await enroll(code.slice(0, 5) + swapped(code[5]!) + code.slice(6), folder, "https://localhost:1");
    assertSays(mistyped, USAGE, "enrolment.mistyped", /check symbol/);
    assert.equal(existsSync(folder), false);
    assert.equal((await enroll(code, folder)).exitCode, 0);
  });

  it("a code that nobody made is refused, and leaves no agent behind", async () => {
    const folder = newFolder();
    assertSays(await enroll(formatCode(drawCode()), folder), REFUSED, "enrolment.refused", /answered 403/);
    assert.deepEqual(
      readdirSync(folder).filter((name) => /agent\.yaml|pinned\.json|policy\.yaml/.test(name)),
      [],
    );
    const run = await sallyport(["run", "--config", join(folder, "agent.yaml")]);
    assert.equal(run.exitCode, 78);
    assert.match(run.stderr, /agent\.yaml/);
  });

  it("a code lets in one machine only", async () => {
    const code = await newCode();
    const folder = newFolder();
    assert.equal((await enroll(code, folder)).exitCode, 0);
    assertSays(await enroll(code, newFolder()), REFUSED, "enrolment.refused", /answered 403/);
    // The machine that it let in may ask again: an answer that got lost costs nothing.
    assert.equal((await enroll(code, folder)).exitCode, 0);
  });

  it("after ten wrong tries of a code in a minute nobody tries it any more, and others are not held up", async () => {
    const { codeId, secret } = drawCode();
    const headers = { "content-type": "application/json", "x-forwarded-for": "192.0.2.7" };
    const guess = () =>
      rawCall(stack(), "/agent/enrol", JSON.stringify({ codeId, body: "AAAA", mac: "A".repeat(43) }), headers);
    for (let tries = 1; tries <= 10; tries++) {
      assertProblem(JSON.parse((await guess()).body.toString()), "enrolment.refused", /not valid/);
    }
    const eleventh = await guess();
    assert.equal(eleventh.status, 429);
    assertProblem(JSON.parse(eleventh.body.toString()), "enrolment.too_many_tries", /in a minute/);
    const late = await enroll(formatCode({ codeId, secret }), newFolder());
    assertSays(late, TRY_AGAIN, "enrolment.too_many_tries", /answered 429/);
    assert.equal((await enroll(await newCode(), newFolder())).exitCode, 0);
  });
}

const swapped = (symbol: string) => (symbol === "7" ? "8" : "7");

function assertSays(result: CommandResult, exitCode: number, code: ErrorCode, says: RegExp): void {
  assert.equal(result.exitCode, exitCode, result.stderr);
  assert.match(result.stderr, says);
  assert.ok(result.stderr.includes(`${code}: ${ERRORS[code].advice}`), result.stderr);
  assert.equal(result.stdout, "");
}
