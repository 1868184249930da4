import assert from "node:assert/strict";
import { test } from "node:test";
import { watermark } from "@sallyport/shared/schema/ids.ts";
import { parseWatermark, placeOf, type Watermark, watermarkText } from "./watermark.ts";

const place = placeOf("OU=Staff,DC=corp,DC=example", new Set(["user", "group"]));
const numbers = { invocation: "01234567-89ab-cdef-0123-456789abcdef", usn: 2n ** 62n };
const MARKS: readonly Watermark[] = [
  { by: "dirSync", place, cookie: Buffer.from([0, 1, 254, 255]), objects: 5_269, giver: numbers, readAll: true },
  { by: "dirSync", place, cookie: Buffer.alloc(0), objects: 0, giver: undefined, readAll: false },
  { by: "usn", place, ...numbers, objects: 1 },
];

test("a watermark comes back from its text as it was", () => {
  for (const mark of MARKS) assert.deepEqual(parseWatermark(watermarkText(mark)!), mark);
});

test("a cookie that is too long for a watermark is told, not cut", () => {
  const mark = { by: "dirSync", place, objects: 1, giver: numbers, readAll: false } as const;
  assert.equal(watermarkText({ ...mark, cookie: Buffer.alloc(12_300) }), undefined);
  // Of a domain that has had 400 controllers in all.
  const long = watermarkText({ ...mark, cookie: Buffer.alloc(100 + 400 * 24) });
  assert.ok(watermark.safeParse(long).success);
});

test("the place is the same however the base is spelt, and another for another base or other classes", () => {
  assert.equal(placeOf("ou=staff,dc=CORP,dc=example", new Set(["group", "user"])), place);
  assert.notEqual(placeOf("OU=Staff,DC=corp,DC=example", new Set(["user"])), place);
  assert.notEqual(placeOf("OU=Other,DC=corp,DC=example", new Set(["user", "group"])), place);
});

test("what is no watermark of a directory is refused", () => {
  const own = watermarkText(MARKS[2]!)!;
  for (const text of [
    "",
    "ct/1/2/2026-01-01",
    own.replace("usn", "USN"),
    `${own}x`,
    own.slice(0, -1).replace(/[0-9]+$/, ""),
  ]) {
    assert.throws(() => parseWatermark(text), { code: "request.invalid" }, text);
  }
});
