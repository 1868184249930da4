import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import fc from "fast-check";
import { MessageParser, type SearchEntry } from "ldapts";
import { int, octets, sequence, tlv } from "../../../../test/emulators/ldap/ber.ts";
import { answerError, hostsOf, signInError, subCodeOf } from "./errors.ts";
import { readEntry, readMessage, readReference, readResult } from "./message.ts";

const attribute = (name: string, ...values: string[]): Buffer =>
  sequence(octets(name), tlv(0x31, ...values.map((value) => octets(value))));
const ENTRY = sequence(int(7), tlv(0x64, octets("CN=a"), sequence(attribute("cn", "a"), attribute("member"))));
const DONE = sequence(
  int(7),
  tlv(0x65, int(10, 0x0a), octets("DC=x"), octets("why"), tlv(0xa3, octets("ldap://dc2/"))),
  tlv(0xa0, sequence(octets("1.2"), Buffer.from([1, 1, 0xff]), octets("value")), sequence(octets("1.3"))),
);

test("entries, references, results and controls are read", () => {
  const entry = readEntry(readMessage(ENTRY));
  assert.deepEqual(
    [entry.dn, entry.attributes.map(({ name, values }) => ({ name, values }))],
    [
      "CN=a",
      [
        { name: "cn", values: [Buffer.from("a")] },
        { name: "member", values: [] },
      ],
    ],
  );
  const done = readResult(readMessage(DONE));
  assert.deepEqual([done.code, done.matchedDn, done.diagnostic, done.referrals], [10, "DC=x", "why", ["ldap://dc2/"]]);
  assert.deepEqual(
    [...done.controls],
    [
      ["1.2", Buffer.from("value")],
      ["1.3", Buffer.alloc(0)],
    ],
  );
  const reference = readMessage(sequence(int(7), tlv(0x73, octets("ldap://a/"), octets("ldap://b/"))));
  assert.deepEqual(readReference(reference), ["ldap://a/", "ldap://b/"]);
});

const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const anyAttribute = fc.record({ name: fc.string({ unit: "grapheme", maxLength: 20 }), values: fc.array(anyBytes) });
const anyEntry = fc.record({
  id: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  dn: fc.string({ unit: "grapheme", maxLength: 200 }),
  attributes: fc.array(anyAttribute, { maxLength: 12 }),
});

test("an entry is read as ldapts reads it, value for value, as views and as places in the message", () => {
  fc.assert(
    fc.property(anyEntry, ({ id, dn, attributes }) => {
      const list = attributes.map(({ name, values }) => sequence(octets(name), tlv(0x31, ...values.map(octets))));
      const bytes = sequence(int(id), tlv(0x64, octets(dn), sequence(...list)));
      const theirs: SearchEntry[] = [];
      const parser = new MessageParser();
      parser.on("message", (message) => theirs.push(message as SearchEntry));
      parser.read(bytes, new Map());
      const expected = (theirs[0]?.attributes ?? []).map(({ type, parsedBuffers }) => [type, parsedBuffers]);
      const message = readMessage(bytes);
      const ours = readEntry(message);
      assert.deepEqual([message.id, ours.dn], [theirs[0]?.messageId, theirs[0]?.name]);
      assert.deepEqual(
        ours.attributes.map(({ name, values }) => [name, values]),
        expected,
      );
      const placed = ours.attributes.map((attribute) => {
        const values: Buffer[] = [];
        const count = attribute.each((to, from, start, end) => void to.push(from.subarray(start, end)), values);
        assert.equal(count, values.length);
        return [attribute.name, values];
      });
      assert.deepEqual(placed, expected);
    }),
    { numRuns: 300 },
  );
});

test("whatever is changed in a message, it is read or refused, and that at once", () => {
  const change = fc.record({ at: fc.nat(200), value: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.constantFrom(ENTRY, DONE),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.nat(200),
      (good, changes, cut) => {
        const bytes = Buffer.from(good.subarray(0, Math.max(1, good.length - (cut % 7))));
        for (const { at, value } of changes) bytes[at % bytes.length] = value;
        try {
          const message = readMessage(bytes);
          if (message.tag === 0x64) readEntry(message);
          else readResult(message);
        } catch (error) {
          assert.ok(error instanceof SallyportError && error.code === "directory.protocol", String(error));
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

test("a value that goes beyond its attribute is refused, though the message has bytes; what is not known is passed over", () => {
  const entryOf = (...attributes: Buffer[]) =>
    readEntry(readMessage(sequence(int(7), tlv(0x64, octets("CN=a"), sequence(...attributes)))));
  const more = sequence(octets("cn"), tlv(0x31, octets("a")), octets("of a later version"));
  assert.deepEqual(
    entryOf(more, attribute("sn", "b")).attributes.map(({ name, values }) => [name, values.join()]),
    [
      ["cn", "a"],
      ["sn", "b"],
    ],
  );
  const tooLong = attribute("cn", "abc");
  tooLong[tooLong.length - 4] = 9;
  assert.throws(() => entryOf(tooLong, attribute("sn", "b".repeat(20))), { code: "directory.protocol" });
});

const result = (code: number, diagnostic: string) => ({ ...readResult(readMessage(DONE)), code, diagnostic });

test("sub-codes are numbers in the text, whatever its language", () => {
  const windows = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563\0";
  assert.equal(subCodeOf({ diagnostic: windows }), "52e");
  assert.equal(
    subCodeOf({ diagnostic: "80090346: LdapErr: DSID-0C090587, comment: x, data 80090346, v4563\0" }),
    "80090346",
  );
  assert.equal(subCodeOf({ diagnostic: "80090346: LdapErr: DSID-0C090587, comment: x, data 57, v4563\0" }), "80090346");
  assert.equal(subCodeOf({ diagnostic: "00000057: LdapErr: DSID-0C090EA4, comment: y" }), "57");
  assert.equal(subCodeOf({ diagnostic: "Simple Bind Failed: NT_STATUS_LOGON_FAILURE" }), undefined);
  assert.equal(signInError(result(49, "Simple Bind Failed: NT_STATUS_LOGON_FAILURE")).code, "connection.login_failed");
  assert.equal(signInError(result(49, "80090346: LdapErr: DSID, data 57, v\0")).code, "directory.channel_binding");
  assert.equal(
    signInError(result(49, "8009030C: LdapErr: DSID, data constructor, v\0")).code,
    "connection.login_failed",
  );
  assert.equal(signInError(result(8, "")).code, "directory.signing_required");
});

const RESULTS: readonly { readonly name: string; readonly number: number; readonly code: string }[] = [
  { name: "result code 2", number: 2, code: "directory.protocol" },
  { name: "result code 3", number: 3, code: "directory.timeout" },
  { name: "result code 4", number: 4, code: "directory.truncated" },
  { name: "result code 7", number: 7, code: "directory.unsupported" },
  { name: "result code 8", number: 8, code: "directory.signing_required" },
  { name: "result code 11", number: 11, code: "directory.limit" },
  { name: "result code 12", number: 12, code: "directory.unsupported" },
  { name: "result code 13", number: 13, code: "directory.signing_required" },
  { name: "result code 32", number: 32, code: "directory.not_found" },
  { name: "result code 34", number: 34, code: "request.invalid" },
  { name: "result code 50", number: 50, code: "directory.permission" },
  { name: "result code 51", number: 51, code: "directory.busy" },
  { name: "result code 52", number: 52, code: "directory.busy" },
  { name: "result code 80", number: 80, code: "directory.failed" },
  { name: "result code 9999", number: 9999, code: "directory.failed" },
];

test("every result is an error of its own, and none repeats the directory's words", () => {
  for (const { name, number, code } of RESULTS) {
    const error = answerError(result(number, "CN=Kari Nordmann has the password hunter2"));
    assert.equal(error.code, code, name);
    assert.ok(!/Kari|hunter2/.test(error.message + JSON.stringify(error.detail)));
    assert.equal(error.detail.number, number);
  }
  const referral = answerError({ ...result(10, ""), referrals: ["ldap://dc2.corp.example:389/CN=Kari,DC=x?sub"] });
  assert.deepEqual([referral.code, referral.detail.hosts], ["directory.referral", ["dc2.corp.example:389"]]);
  assert.deepEqual(hostsOf(["ldaps://a/", "ldap://a/b", "nonsense CN=Kari", "ldap://x y/"]), ["a", "?"]);
});
