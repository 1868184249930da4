import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKS } from "@sallyport/agent/src/doctor/check.ts";
import { ROOT, readSources } from "./source.ts";

const FOLDER = join(ROOT, "docs/checks");

test("each check of doctor has a page, and each page is a check's", () => {
  const pages = readdirSync(FOLDER).map((name) => name.replace(/\.md$/, ""));
  assert.deepEqual(pages.sort(), Object.keys(CHECKS).sort());
});

test("each page names its check and says what to do", () => {
  for (const id of Object.keys(CHECKS)) {
    const text = readFileSync(join(FOLDER, `${id}.md`), "utf8");
    assert.match(text, new RegExp(`^# .+\\n\\n\`sallyport doctor\`, check \`${id}\`\\.\\n\\n`));
    assert.ok(text.length > 300, id);
  }
});

test("each check is made somewhere", () => {
  const made = readSources().filter(({ path }) =>
    /^agent\/src\/doctor\/(?!check\.ts)[a-z-]+(?<!\.test)\.ts$/.test(path),
  );
  for (const id of Object.keys(CHECKS)) {
    assert.ok(
      made.some(
        ({ text }) => text.includes(`id: "${id}"`) || text.includes(`check("${id}"`) || text.includes(`id = "${id}"`),
      ),
      id,
    );
  }
});
