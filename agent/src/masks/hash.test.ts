import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { createHash } from "./hash.ts";

test("gives what an HMAC gives, for every key of a mask and every value", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 64 }),
      fc.array(fc.uint8Array({ maxLength: 20_000, size: "max" }), { minLength: 1, maxLength: 4 }),
      (key, values) => {
        const hashed = createHash(key);
        for (const value of values) {
          const around = Buffer.concat([Buffer.from("before"), value, Buffer.from("after")]);
          assert.equal(
            hashed(around, 6, 6 + value.length),
            createHmac("sha256", key).update(value).digest("base64url"),
          );
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("RFC 4231, test case 2", () => {
  const value = Buffer.from("what do ya want for nothing?");
  const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  const hashed = createHash(Buffer.from("Jefe"))(value, 0, value.length);
  assert.equal(Buffer.from(hashed, "base64url").toString("hex"), expected);
});
