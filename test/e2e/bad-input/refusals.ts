/** What every refusal owes to whoever reads it, and what must not be there after one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { watch } from "node:fs";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import { ERRORS, type ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { type partsView, problem, type RunView } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import { readJournal } from "../../stack/agent.ts";
import { ApiError } from "../../stack/api.ts";
import { type Answer, call } from "../../stack/https.ts";
import { type Stack, TENANT } from "../../stack/start.ts";

export type JournalLine = Record<string, unknown>;

/** The call fails with problem details (RFC 9457) that say what happened and what to do next. */
export async function assertRefused(calling: Promise<unknown>, code: ErrorCode, says: RegExp): Promise<void> {
  await assert.rejects(calling, (thrown) => {
    assert.ok(thrown instanceof ApiError, String(thrown));
    assertProblem(thrown.problem, code, says);
    return true;
  });
}

export function assertProblem(given: unknown, code: ErrorCode, says: RegExp): void {
  const said = problem.parse(given);
  assert.deepEqual(
    [said.code, said.status, said.type, said.advice],
    [code, ERRORS[code].http, `urn:sallyport:${code}`, ERRORS[code].advice],
  );
  assert.match(said.detail, says);
  assert.match(said.instance, /^urn:uuid:/);
}

/** A call as no client of ours would make it. */
export function rawCall(stack: Stack, path: string, body: string, headers: Record<string, string>): Promise<Answer> {
  return call(`${stack.origin}/api${path}`, { method: "POST", ca: stack.caPem, body, headers });
}

/** The run has ended with this error, and nothing of it can be seen: no manifest, no link, no part that a manifest names. */
export async function assertFailed(stack: Stack, run: RunView, code: ErrorCode, says: RegExp): Promise<void> {
  assert.equal(run.state, "failed", JSON.stringify(run));
  assertError(run, code, says);
  assert.ok(run.endedAt);
  await assertNothingVisible(stack, run);
}

/** What the run says of the last error: a code, a sentence, and what to do. */
export function assertError(run: RunView, code: ErrorCode, says: RegExp): void {
  assert.equal(run.error?.code, code, JSON.stringify(run.error));
  assert.match(run.error.message, says);
  assert.equal(run.error.advice, ERRORS[code].advice);
}

export async function assertNothingVisible(stack: Stack, run: RunView): Promise<void> {
  const view = await stack.api.get<z.infer<typeof partsView>>(`/tenants/${TENANT}/runs/${run.id}/parts`);
  assert.deepEqual(view, { run: run.id, manifest: null, parts: [] });
  const container = BlobServiceClient.fromConnectionString(stack.storage.connectionString).getContainerClient(
    "sallyport",
  );
  for await (const blob of container.listBlobsFlat({ prefix: `${TENANT}/${run.pull}/` })) {
    assert.fail(`there is a blob ${blob.name}`);
  }
}

/** The agent's lines about sessions, in their order. */
export const sessionLines = (stack: Stack): JournalLine[] =>
  readJournal(stack.agent.stateDir).filter(({ event }) => event === "request" || event === "end");

/** The lines of a run, once each of its requests has its end: that comes when the executor has gone. */
export async function linesOf(stack: Stack, run: RunView): Promise<JournalLine[]> {
  const stop = new AbortController();
  const changes = watch(join(stack.agent.stateDir, "journal"), { signal: stop.signal });
  changes.on("error", () => undefined);
  try {
    for (;;) {
      const changed = once(changes, "change");
      const lines = sessionLines(stack).filter((line) => line.run === run.id);
      const open = lines.filter(({ event }) => event === "request").length * 2 - lines.length;
      if (open === 0) return lines;
      await changed;
    }
  } finally {
    stop.abort();
  }
}

/** One request that the policy refused, and its end: the system behind it was not contacted. */
export async function assertDenied(stack: Stack, run: RunView, code: ErrorCode, rule?: string): Promise<void> {
  const [request, end, ...more] = await linesOf(stack, run);
  assert.deepEqual(more, []);
  assert.deepEqual([request?.event, request?.decision, request?.code, request?.rule], ["request", "deny", code, rule]);
  assert.deepEqual([end?.event, end?.code, end?.rowsOut], ["end", code, 0]);
}

/** A request that was allowed, and how it ended, for each session of the run. */
export async function assertTried(stack: Stack, run: RunView, codes: readonly (ErrorCode | "ok")[]): Promise<void> {
  const lines = await linesOf(stack, run);
  assert.deepEqual(
    lines.map(({ event, decision, code }) => [event, decision ?? code ?? "ok"]),
    codes.flatMap((code) => [
      ["request", "allow"],
      ["end", code],
    ]),
  );
}
