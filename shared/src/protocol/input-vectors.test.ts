/** `test/vectors/input.json`: what an agent makes of rows that an orchestrator sends, hostile ones above all. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { checkBatch } from "../rows/check.ts";
import { decodeSchema } from "../rows/schema.ts";
import type { Column } from "../rows/types.ts";
import { DEFAULT_LIMITS } from "../schema/operations.ts";
import { SallyportError } from "./errors.ts";
import type { Frame, FrameType } from "./frames.ts";
import { createInputStream } from "./input-stream.ts";

const frame = z.tuple([z.int(), z.boolean(), z.string()]);
const file = z.strictObject({
  vectors: z.array(z.strictObject({ name: z.string(), expect: z.string(), frames: z.array(frame) })),
});
const { vectors } = file.parse(
  JSON.parse(readFileSync(new URL("../../../test/vectors/input.json", import.meta.url), "utf8")),
);

/** `3 rows`, or the code of the error. */
function outcomeOf(frames: (typeof vectors)[number]["frames"]): string {
  const read = createInputStream(DEFAULT_LIMITS.rowBytes);
  let columns: readonly Column[] = [];
  let rows = 0;
  for (const [type, last, body] of frames) {
    const message = read({ type: type as FrameType, last, body: Buffer.from(body, "base64url") } satisfies Frame);
    if (message?.kind === "schema") ({ columns } = decodeSchema(message.bytes));
    if (message?.kind === "batch") rows += checkBatch(message.bytes, columns, DEFAULT_LIMITS).rows;
    if (message?.kind === "end" && message.body.rows !== rows) return "protocol.order";
  }
  return `${rows} rows`;
}

for (const { name, expect, frames } of vectors) {
  test(`${name}: ${expect}`, () => {
    let outcome: string;
    try {
      outcome = outcomeOf(frames);
    } catch (error) {
      assert.ok(error instanceof SallyportError, String(error));
      outcome = error.code;
    }
    assert.equal(outcome, expect);
  });
}

test("there are more hostile vectors than good ones", () => {
  const good = vectors.filter(({ expect }) => expect.endsWith("rows")).length;
  assert.ok(vectors.length - good > good);
});
