import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Ask } from "../install/windows/native-child.ts";
import { readSecretFile } from "./ask.ts";
import { UsageError } from "./exit.ts";

const CLOSED = "O:S-1-5-21-1-2-3-1001D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;S-1-5-21-1-2-3-1001)";
/** What a file in `C:\` gets: everybody with an account reads it. */
const OPEN = `${CLOSED}(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)`;

test("a file with a secret is read on Windows only where its access list lets nobody else in", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-ask-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "code.txt");
  writeFileSync(file, "the code \nmore", { mode: 0o600 });
  const asked: string[] = [];
  const windows =
    (sddl: string): Ask =>
    (question) => {
      asked.push(...(question.ask === "lists" ? question.paths : []));
      return { lists: [sddl] };
    };
  assert.equal(await readSecretFile(file, windows(CLOSED)), "the code");
  await assert.rejects(readSecretFile(file, windows(OPEN)), (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /others may read .*code\.txt: pipe the secret in/);
    return true;
  });
  assert.deepEqual(asked, [file, file]);
  assert.equal(await readSecretFile(file, undefined), "the code");
});
