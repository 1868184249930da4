import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { installedVersions, longFiles, MAX_LINES, unusedCodes } from "./repository.ts";
import { ROOT, readSources } from "./source.ts";

const sources = readSources();

describe("one SQL driver", () => {
  it("tedious is installed once, in the version that was measured", () => {
    const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    assert.deepEqual(installedVersions(lock, "tedious"), ["20.3.9"]);
  });
  it("a second one is seen, wherever it is nested", () => {
    const lock = {
      packages: {
        "": {},
        "node_modules/tedious": { version: "20.3.9" },
        "node_modules/mssql/node_modules/tedious": { version: "19.0.0" },
        "node_modules/not-tedious": { version: "1.0.0" },
      },
    };
    assert.deepEqual(installedVersions(lock, "tedious"), ["20.3.9", "19.0.0"]);
  });
});

describe("every error code is used", () => {
  it("in this repository", () => assert.deepEqual(unusedCodes(sources, Object.keys(ERRORS)), []));
  it("a code that only the table, a comment or a test names is unused", () => {
    const files = [
      { path: "shared/src/protocol/errors.ts", text: '"a.one" "a.two"' },
      { path: "cloud/src/a.ts", text: 'fail("a.one") // "a.two"' },
      { path: "cloud/src/a.test.ts", text: 'fail("a.two")' },
      { path: "test/e2e/a.ts", text: 'fail("a.two")' },
    ];
    assert.deepEqual(unusedCodes(files, ["a.one", "a.two"]), ["a.two"]);
  });
});

describe("files stay readable", () => {
  /** One closed table that reads top-down, however long it gets. */
  const TABLES = ["shared/src/protocol/errors.ts", "test/emulators/tds/values/errors.ts"];
  it(`none but a table has more than ${MAX_LINES} lines`, () => {
    const code = sources.filter(({ path }) => !path.startsWith("test/vectors/") && !TABLES.includes(path));
    assert.deepEqual(longFiles(code), []);
  });
  it("a longer one is seen, one of exactly that length is not", () => {
    const file = (lines: number) => ({ path: "cloud/src/a.ts", text: "x\n".repeat(lines) });
    assert.deepEqual(longFiles([file(MAX_LINES)]), []);
    assert.deepEqual(longFiles([file(MAX_LINES + 1)]), ["cloud/src/a.ts"]);
  });
});
