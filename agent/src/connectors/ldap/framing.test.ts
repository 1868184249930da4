import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { int, octets, sequence } from "../../../../test/emulators/ldap/ber.ts";
import { createFraming, ldapMessageLength, saslBufferLength } from "./framing.ts";

const message = (id: number, size: number): Buffer => sequence(int(id), octets(Buffer.alloc(size, id)));

test("messages come out whole and in order, however their bytes came in", () => {
  const sizes = fc.array(fc.oneof(fc.nat(5), fc.nat(300), fc.constant(70_000)), { minLength: 1, maxLength: 6 });
  const cuts = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, cuts, (lengths, pieces) => {
      const messages = lengths.map((size, id) => message(id, size));
      const all = Buffer.concat(messages);
      const framing = createFraming(ldapMessageLength, 100_000);
      const seen: Buffer[] = [];
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const end = at + pieces[turn % pieces.length]!;
        framing.push(all.subarray(at, end));
        for (let next = framing.next(); next !== undefined; next = framing.next()) seen.push(next);
        at = end;
      }
      assert.deepEqual(seen, messages);
      assert.equal(framing.heldBytes, 0);
    }),
    { numRuns: 60 },
  );
});

test("a message above the cap is refused by its length alone", () => {
  const framing = createFraming(ldapMessageLength, 1_000);
  framing.push(Buffer.from([0x30, 0x82, 0x03, 0xe4]));
  assert.equal(framing.next(), undefined);
  const large = createFraming(ldapMessageLength, 1_000);
  large.push(Buffer.from([0x30, 0x82, 0x03, 0xe5]));
  assert.throws(() => large.next(), { code: "directory.protocol" });
});

test("a SASL buffer is as long as its first four bytes say, and these", () => {
  const framing = createFraming(saslBufferLength, 100);
  framing.push(Buffer.from([0, 0, 0, 3, 1, 2]));
  assert.equal(framing.next(), undefined);
  framing.push(Buffer.from([3, 0, 0, 0, 0, 0]));
  assert.deepEqual(framing.next(), Buffer.from([0, 0, 0, 3, 1, 2, 3]));
  assert.deepEqual(framing.next(), Buffer.from([0, 0, 0, 0]));
  assert.equal(framing.next(), undefined);
  framing.push(Buffer.from([0xff, 0xff, 0xff]));
  assert.throws(() => framing.next(), { code: "directory.protocol" });
});
