import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { JournalFacts } from "../journal/line.ts";
import { maskKeyOf, writeMaskKey } from "../mask-key.ts";
import { parsePolicy } from "../policy/file.ts";
import { newUsage } from "./login-breaker.ts";
import { createMaskKeySource } from "./masking.ts";

const root = mkdtempSync(join(tmpdir(), "sallyport-masking-"));
after(() => rmSync(root, { recursive: true }));
const paths = { maskKey: join(root, "mask.key") };
const NOTHING = parsePolicy("v: 1\nconnections: {}\n", new Date());

test("the journal names the mask key at its first use, after an import the new one, and neither again after a restart", () => {
  const lines: JournalFacts[] = [];
  const usage = newUsage();
  let stored = JSON.stringify(usage);
  const store = (): void => {
    stored = JSON.stringify(usage);
  };
  const start = (state = usage) => createMaskKeySource(paths, state, store, (facts) => lines.push(facts), {} as never);

  const source = start();
  assert.equal(source(NOTHING), undefined);
  assert.deepEqual(lines, []);
  const [first, imported] = [maskKeyOf(randomBytes(32)), maskKeyOf(randomBytes(32))];
  writeMaskKey(paths, first);
  assert.equal(source(NOTHING)?.id, first.id);
  source(NOTHING);
  writeMaskKey(paths, imported);
  assert.equal(source(NOTHING)?.id, imported.id);
  start(JSON.parse(stored))(NOTHING);
  assert.deepEqual(
    lines,
    [first, imported].map(({ id }) => ({ event: "rotate", key: "mask", kid: id })),
  );
});
