import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EVENTS } from "@sallyport/agent/src/install/windows/events.ts";
import { windowsLayout } from "@sallyport/agent/src/install/windows/layout.ts";

const script = readFileSync(new URL("verify.ps1", import.meta.url), "utf8");
const page = readFileSync(new URL("../../docs/install-windows.md", import.meta.url), "utf8");
const claims = page.slice(page.indexOf("| claim | shown by |"));

const idsIn = (text: string) => [...new Set(text.match(/\bW\d\d\b/g))].sort();

test("the script looks at each claim of the page once, and the page has each of the script's", () => {
  const tested = [...script.matchAll(/^\s*Test-Claim '(W\d\d)' '[^']+' \{/gm)].map(([, id]) => id);
  assert.equal(new Set(tested).size, tested.length);
  assert.equal(tested.length, script.match(/^\s*Test-Claim /gm)?.length);
  assert.deepEqual([...tested].sort(), idsIn(claims));
});

test("each row of the page says by what it is shown and when that last ran", () => {
  const rows = claims.split("\n").filter((line) => /^\| (?!claim|---)/.test(line));
  assert.ok(rows.length > 15);
  for (const row of rows) assert.match(row, /^\| [^|]+ \| W\d\d[^|]* \| (never|.+ \d{4}-\d\d-\d\d) \|$/, row);
});

test("the page has the event log's numbers with their levels", () => {
  const rows = [...page.matchAll(/^\| (\d{3}) \| (information|warning|error) \|/gm)].map(([, number, type]) => [
    Number(number),
    type,
  ]);
  assert.deepEqual(
    rows,
    Object.values(EVENTS).map(({ number, type }) => [number, type]),
  );
});

test("page and script name the folders that the program uses", () => {
  const { data, configuration, state, logs } = windowsLayout("C:\\ProgramData");
  for (const path of [data, configuration, state, logs, `${state}\\control`, `${state}\\keys`, `${state}\\journal`])
    assert.ok(page.includes(`\`${path}\``), path);
  assert.match(script, /\$Data = Join-Path \$env:ProgramData 'Sallyport'/);
});

test("the script's brackets and quotes are even, as far as that can be seen without PowerShell", () => {
  const bare = script
    .replaceAll(/<#[\s\S]*?#>/g, "")
    .replaceAll(/^\s*#.*$/gm, "")
    .replaceAll(/'[^'\n]*'/g, "''")
    .replaceAll(/"[^"\n]*"/g, '""');
  for (const [open, close] of ["()", "{}", "[]"] as const)
    assert.equal(bare.split(open!).length, bare.split(close!).length, `${open}${close}`);
  assert.ok(
    [...script].every((character) => character.charCodeAt(0) < 128),
    "PowerShell 5.1 reads a file without a byte order mark as the machine's code page",
  );
});
