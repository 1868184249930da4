import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ConfigError } from "./config-error.ts";
import { type Ask, parseAnswer, type Question } from "./install/windows/native-child.ts";
import { readSecret, rewrapSecret, type Wrapping, writeSecret } from "./secret-file.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-secret-"));
  file = join(folder, "identity.jwk");
});
afterEach(() => rmSync(folder, { recursive: true }));

const SECRET = '{"d":"the private part"}\n';

/** DPAPI, as far as it is asked: turns the bytes round, with a counter in front as its salt. */
function windows(change: (asked: Question) => Question = (asked) => asked): Wrapping {
  let count = 0;
  const ask: Ask = (question) => {
    const asked = change(question);
    if (!("bytes" in asked)) return { failed: "not asked here" };
    const bytes = Buffer.from(asked.bytes, "base64");
    if (asked.ask === "protect") return { bytes: Buffer.from([count++, ...bytes.reverse()]).toString("base64") };
    return { bytes: bytes.subarray(1).reverse().toString("base64") };
  };
  return { isWindows: true, ask };
}

test("on Windows a key is never in clear on the disk, and reads as it was written", () => {
  const wrapping = windows();
  writeSecret(file, SECRET, wrapping);
  const stored = readFileSync(file, "utf8");
  assert.match(stored, /^\{"dpapi":"machine","blob":"[A-Za-z0-9+/=]+"\}\n$/);
  assert.ok(!stored.includes("private") && !stored.includes(Buffer.from(SECRET).toString("base64")));
  assert.equal(readSecret(file, wrapping), SECRET);
  assert.equal(readSecret(join(folder, "none"), wrapping), undefined);
});

test("one in clear is read, and wrapped when it is wrapped anew", () => {
  const wrapping = windows();
  writeFileSync(file, SECRET);
  assert.equal(readSecret(file, wrapping), SECRET);
  assert.equal(rewrapSecret(file, wrapping), true);
  const first = readFileSync(file, "utf8");
  assert.ok(!first.includes("private"));
  assert.equal(rewrapSecret(file, wrapping), true);
  assert.notEqual(readFileSync(file, "utf8"), first);
  assert.equal(readSecret(file, wrapping), SECRET);
  assert.equal(rewrapSecret(join(folder, "none"), wrapping), false);
});

test("what would not open again does not replace the only copy", () => {
  writeSecret(file, SECRET, windows());
  const before = readFileSync(file, "utf8");
  const wrong = windows((asked) =>
    asked.ask === "protect" ? { ...asked, bytes: Buffer.from("other").toString("base64") } : asked,
  );
  assert.throws(() => rewrapSecret(file, wrong), /stays as it is/);
  const refusing: Wrapping = {
    isWindows: true,
    ask: () => parseAnswer('{"failed":"CryptUnprotectData failed with 13"}'),
  };
  assert.throws(() => rewrapSecret(file, refusing), /failed with 13/);
  assert.equal(readFileSync(file, "utf8"), before);
});

test("what was tried is what is written, and not another that was encrypted after it", () => {
  writeSecret(file, SECRET, windows());
  let protections = 0;
  const onlyOnce = windows((asked) => {
    if (asked.ask === "protect") protections += 1;
    return protections > 1 ? { ...asked, bytes: Buffer.from("other").toString("base64") } : asked;
  });
  assert.equal(rewrapSecret(file, onlyOnce), true);
  assert.equal(readSecret(file, windows()), SECRET);
});

test("elsewhere files are as they are, and a wrapped one of a Windows machine is refused", () => {
  const linux: Wrapping = { isWindows: false, ask: () => assert.fail("nobody asks") };
  writeSecret(file, SECRET, linux);
  assert.equal(readFileSync(file, "utf8"), SECRET);
  assert.equal(readSecret(file, linux), SECRET);
  writeSecret(file, SECRET, windows());
  assert.throws(() => readSecret(file, linux), ConfigError);
});

test("damaged files and answers that are none are refused", () => {
  for (const text of [
    '{"dpapi":"machine"}',
    '{"dpapi":"user","blob":"AA=="}',
    '{"dpapi":"machine","blob":"AA==","more":1}',
    '{"dpapi',
  ]) {
    writeFileSync(file, text);
    assert.throws(() => readSecret(file, windows()), /damaged/, text);
  }
  for (const text of [null, "", "{}", '{"bytes":"%"}', '{"bytes":"AA==","more":1}', "[]"])
    assert.throws(() => parseAnswer(text), /could not be asked/, `${text}`);
  assert.throws(() => parseAnswer("", new Error("ENOENT")), /ENOENT/);
});
