/** The scanners against texts, memory and files in which a mark was planted. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { encodings, scramble } from "./encodings.ts";
import { coresIn, newCores, scanFiles } from "./files.ts";
import { pagesWithContent, readableRanges, scanMemory } from "./memory.ts";
import { findIn } from "./search.ts";

const MARK = "mark-7Kq_Zp0RtVw93xLd";
const needles = encodings("mark", MARK);
const named = (name: string) => needles.find((each) => each.name === `mark, ${name}`)!;

test("the scrambled form is [MS-TDS]'s: its example, and its own inverse by the steps backwards", () => {
  // "A" is 0x41 0x00: nibbles swapped 0x14 0x00, XOR 0xA5.
  assert.deepEqual([...scramble(Buffer.from("A", "utf16le"))], [0xb1, 0xa5]);
  const back = scramble(Buffer.from(MARK, "utf16le")).map((byte) => byte ^ 0xa5);
  assert.equal(Buffer.from(back.map((byte) => ((byte << 4) | (byte >> 4)) & 0xff)).toString("utf16le"), MARK);
});

test("a base64 text holds the mark's inner characters, whatever stands before and after", () => {
  for (const encoding of ["base64", "base64url"] as const) {
    for (const before of ["", "x", "xy", "xyz", "xyzu"]) {
      for (const after of ["", "1", "12"]) {
        const text = Buffer.from(Buffer.from(`${before}${MARK}${after}`).toString(encoding));
        assert.equal(findIn([text], needles).length > 0, true, `${encoding} of ${before}…${after}`);
      }
    }
  }
});

test("each form is found by its name, across pieces of every size, and nothing else is", () => {
  for (const { name, bytes } of needles) {
    const text = Buffer.concat([Buffer.from("before"), bytes, Buffer.from("after, for some time")]);
    for (const size of [1, 3, 7, 16, 4096]) {
      const pieces = Array.from({ length: Math.ceil(text.byteLength / size) }, (_, index) =>
        text.subarray(index * size, (index + 1) * size),
      );
      assert.ok(findIn(pieces, needles).includes(name), `${name} in pieces of ${size}`);
    }
  }
  assert.deepEqual(findIn([Buffer.from(MARK.slice(1)), Buffer.from("x"), Buffer.from(MARK.slice(0, -1))], needles), []);
});

test("readable ranges are joined; what nobody may read and the kernel's own pages are left out", () => {
  const ranges = readableRanges(`1000-2000 r--p 00000000 00:00 0
2000-4000 rw-p 00000000 00:00 0                          [heap]
5000-6000 ---p 00000000 00:00 0
6000-7000 r--s 00000000 08:01 12                         /usr/bin/x y
7ffe0000-7ffe4000 r--p 00000000 00:00 0                  [vvar]
7ffe5000-7ffe6000 r-xp 00000000 00:00 0                  [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]
`);
  assert.deepEqual(
    ranges.map(({ start, end }) => [start, end]),
    [
      [0x1000, 0x4000],
      [0x6000, 0x7000],
      [0x7ffe5000, 0x7ffe6000],
    ],
  );
});

test("pages that exist are read, in memory or swapped out; the others are not", () => {
  const entries = new BigUint64Array([0n, 1n << 63n, (1n << 63n) | 77n, 5n, 1n << 62n, 1n << 61n]);
  const parts = pagesWithContent({ start: 0x10000, end: 0x16000 }, new Uint8Array(entries.buffer));
  assert.deepEqual(
    parts.map(({ start, end }) => [start, end]),
    [
      [0x11000, 0x13000],
      [0x14000, 0x15000],
    ],
  );
});

test("a mark in another process is found in its memory, in the form it has there, and only while it is there", {
  skip: process.platform !== "linux" && "needs /proc",
}, async () => {
  const scrambled = named("tds-scrambled");
  // The mark reaches the other process as bytes only, and lies in a Buffer outside its heap.
  const child = spawn(
    process.execPath,
    [
      "-e",
      "process.stdin.once('data', (kept) => { globalThis.kept = kept; console.log('kept'); setInterval(() => {}, 1e6); })",
    ],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  try {
    assert.deepEqual(scanMemory(child.pid!, needles).found, []);
    child.stdin.write(scrambled.bytes);
    await once(child.stdout, "data");
    const scan = scanMemory(child.pid!, needles);
    assert.deepEqual(scan.found, [scrambled.name]);
    assert.ok(scan.bytes > 10_000_000);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
});

test("files are found by content and by name, exempt ones are not opened; cores are told from other files", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-search-"));
  try {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    mkdirSync(join(folder, "core"));
    writeFileSync(join(folder, "a/clean"), "nothing");
    writeFileSync(
      join(folder, "a/b/log"),
      Buffer.concat([Buffer.alloc(2 ** 20 - 5), Buffer.from(MARK), Buffer.alloc(9)]),
    );
    writeFileSync(join(folder, `a/${MARK}`), "");
    writeFileSync(join(folder, "exempt"), MARK);
    const found = scanFiles(folder, needles, (path) => path === "exempt").sort();
    assert.deepEqual(found, ["a/b/log holds the mark, latin1", `a/${MARK} holds the mark, latin1`]);
    const before = new Set(coresIn(folder));
    for (const name of ["core.17", "corespondence", "node.core"]) writeFileSync(join(folder, name), "");
    assert.deepEqual(newCores(folder, before).sort(), ["core.17", "node.core"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
