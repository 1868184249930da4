import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ConfigError } from "./config-error.ts";
import { ensureMaskKey, maskKeyOf, readMaskKey, writeMaskKey } from "./mask-key.ts";
import { rewrapSecret, type Wrapping } from "./secret-file.ts";
import { statePaths } from "./state.ts";

const root = mkdtempSync(join(tmpdir(), "mask-key-"));
after(() => rmSync(root, { recursive: true }));
const paths = statePaths(root);

test("made once, for its account alone, and the same from then on", () => {
  assert.equal(readMaskKey(paths), undefined);
  const made = ensureMaskKey(paths);
  assert.equal(made.key.byteLength, 32);
  assert.equal(statSync(paths.maskKey).mode & 0o777, 0o600);
  assert.deepEqual(ensureMaskKey(paths).id, made.id);
  assert.deepEqual(readMaskKey(paths)?.key, made.key);
});

test("its id is of the key alone, and not the key", () => {
  const one = maskKeyOf(Buffer.alloc(32, 1));
  assert.match(one.id, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(maskKeyOf(Buffer.alloc(32, 1)).id, one.id);
  assert.notEqual(maskKeyOf(Buffer.alloc(32, 2)).id, one.id);
  assert.notEqual(one.id, Buffer.alloc(32, 1).toString("base64url"));
});

test("one that others may read, or that is not whole, is refused", () => {
  writeMaskKey(paths, maskKeyOf(Buffer.alloc(32, 3)));
  chmodSync(paths.maskKey, 0o640);
  assert.throws(() => readMaskKey(paths), ConfigError);
  chmodSync(paths.maskKey, 0o600);
  for (const text of [
    "",
    "{}",
    '{"v":1,"key":"short"}',
    `{"v":2,"key":"${"A".repeat(43)}"}`,
    `{"v":1,"key":"${"B".repeat(43)}"}`,
  ]) {
    writeFileSync(paths.maskKey, text);
    assert.throws(() => readMaskKey(paths), ConfigError, text);
  }
});

test("on Windows it is encrypted on the disk, opens once for many sessions, and is told from another one", () => {
  const own = statePaths(mkdtempSync(join(root, "windows-")));
  let opened = 0;
  const turned = (bytes: string) => Buffer.from(bytes, "base64").reverse().toString("base64");
  const wrapping: Wrapping = {
    isWindows: true,
    ask(asked) {
      if (!("bytes" in asked)) return { failed: "not asked here" };
      if (asked.ask === "unprotect") opened += 1;
      return { bytes: turned(asked.bytes) };
    },
  };
  const [one, other] = [maskKeyOf(Buffer.alloc(32, 5)), maskKeyOf(Buffer.alloc(32, 6))];
  writeMaskKey(own, one, wrapping);
  const onDisk = readFileSync(own.maskKey, "utf8");
  assert.match(onDisk, /^\{"dpapi":"machine"/);
  assert.ok(!onDisk.includes(Buffer.from(one.key).toString("base64url")));
  for (let session = 0; session < 3; session += 1) assert.equal(readMaskKey(own, wrapping)?.id, one.id);
  assert.equal(opened, 1);
  writeMaskKey(own, other, wrapping);
  assert.equal(readMaskKey(own, wrapping)?.id, other.id);
  const failing: Wrapping = { ...wrapping, ask: () => ({ failed: "" }) };
  writeMaskKey(own, one, wrapping);
  assert.throws(() => readMaskKey(own, failing), ConfigError);
  assert.equal(readMaskKey(own, wrapping)?.id, one.id);
  // One that an older version left in clear is read, and wrapped when the service is installed.
  writeMaskKey(own, other);
  assert.equal(readMaskKey(own, wrapping)?.id, other.id);
  assert.ok(rewrapSecret(own.maskKey, wrapping));
  assert.match(readFileSync(own.maskKey, "utf8"), /^\{"dpapi"/);
  assert.equal(readMaskKey(own, wrapping)?.id, other.id);
});
