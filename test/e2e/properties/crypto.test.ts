import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { answerMac, codeKey, drawCode, formatCode, parseCode, requestMac } from "@sallyport/shared/crypto/enrolment.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { PURPOSES, publicKeyOf, signJws, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { isChallenge } from "@sallyport/shared/protocol/hello.ts";
import fc from "fast-check";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const symbols = (length: number) =>
  fc.array(fc.constantFrom(...ALPHABET), { minLength: length, maxLength: length }).map((all) => all.join(""));
const code = fc.record({ codeId: symbols(8), secret: symbols(20) }, { noNullPrototype: true });
const bytes = fc.uint8Array({ maxLength: 200 });

test("every code is read back as it was written, in any case and with any separators", () => {
  fc.assert(
    fc.property(code, fc.array(fc.constantFrom("", "-", " ", ".", "\t")), fc.boolean(), (drawn, between, lower) => {
      const text = formatCode(drawn);
      const spread = [...text].map((symbol, index) => `${symbol}${between[index] ?? ""}`).join("");
      assert.deepEqual(parseCode(lower ? spread.toLowerCase() : spread), drawn);
    }),
  );
});

test("a wrong symbol is always caught, and so are two symbols exchanged, however far apart", () => {
  fc.assert(
    fc.property(code, fc.nat(27), fc.nat(27), fc.constantFrom(...ALPHABET), (drawn, first, second, symbol) => {
      const text = formatCode(drawn).replace(/[-.]/g, "");
      const changed = [...text].with(first, symbol).join("");
      assert.equal(parseCode(changed) === undefined, changed !== text);
      const exchanged = [...text].with(first, text[second]!).with(second, text[first]!).join("");
      // 32 has order 36 modulo 37: places less than 36 apart weigh differently, so every exchange is caught.
      assert.equal(parseCode(exchanged) === undefined, exchanged !== text);
    }),
    { numRuns: 1000 },
  );
});

test("what is no code is undefined, never a throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert.equal(parseCode(text), undefined)));
});

test("drawn codes are spread over the whole alphabet", () => {
  const seen = new Set(Array.from({ length: 60 }, () => Object.values(drawCode()).join("")).join(""));
  assert.equal([...seen].sort().join(""), ALPHABET);
});

test("base64url: bytes round-trip, and a text decodes exactly when it re-encodes to itself", () => {
  fc.assert(fc.property(bytes, (some) => assert.deepEqual(fromBase64url(toBase64url(some)), Buffer.from(some))));
  const base64 = fc.string({ unit: fc.constantFrom(..."ABCYZabcyz0189-_+/=\n é") });
  fc.assert(
    fc.property(base64, (text) => {
      const decoded = fromBase64url(text);
      assert.equal(decoded !== undefined, Buffer.from(text, "base64url").toString("base64url") === text);
      assert.equal(isChallenge(text), decoded?.byteLength === 32);
    }),
  );
});

test("no two different inputs of a MAC give the same one", () => {
  const input = fc.record({ secret: fc.constantFrom("S1", "S2"), codeId: symbols(8), body: bytes, answer: bytes });
  fc.assert(
    fc.property(input, input, (one, two) => {
      const enrol = ({ secret, body }: typeof one) => requestMac(codeKey(secret), body).toString("hex");
      const enrolled = ({ secret, codeId, body, answer }: typeof one) =>
        answerMac(codeKey(secret), codeId, body, answer).toString("hex");
      const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
      const sameRequest = one.secret === two.secret && same(one.body, two.body);
      assert.equal(enrol(one) === enrol(two), sameRequest);
      const sameAnswer = sameRequest && one.codeId === two.codeId && same(one.answer, two.answer);
      assert.equal(enrolled(one) === enrolled(two), sameAnswer);
      // A boundary moved between request and answer is another pair.
      const moved = { ...one, body: Buffer.concat([one.body, utf8("x")]) };
      assert.notEqual(enrolled(one), enrolled(moved));
    }),
  );
});

test("any payload comes back from its signature, for its purpose only", async () => {
  const pair = await generateKeyPair("EdDSA");
  const [signer, key] = [signerOf("EdDSA", pair), publicKeyOf(pair.publicJwk)];
  const purpose = fc.constantFrom(...PURPOSES);
  await fc.assert(
    fc.asyncProperty(bytes, purpose, purpose, async (payload, made, expected) => {
      const compact = await signJws(made, payload, signer);
      const verified = await verifyJws(compact, { purpose: expected, alg: "EdDSA" }, () => key);
      assert.equal(verified.ok, made === expected);
      if (verified.ok) assert.deepEqual(verified.payload, Buffer.from(payload));
    }),
  );
});

test("no text makes verification throw", async () => {
  const part = fc.oneof(
    fc.string(),
    fc.json().map((text) => toBase64url(utf8(text))),
    fc.constant(toBase64url(utf8('{"alg":"EdDSA","typ":"sallyport-token+jws","kid":"k"}'))),
  );
  const { publicJwk } = await generateKeyPair("EdDSA");
  const key = publicKeyOf(publicJwk);
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
      const verified = await verifyJws(parts.join("."), { purpose: "token", alg: "EdDSA" }, () => key);
      assert.equal(verified.ok, false);
    }),
    { numRuns: 500 },
  );
});
