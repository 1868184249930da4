import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { before, describe, it } from "node:test";
import { toBase64url, utf8 } from "./bytes.ts";
import { generateKeyPair, type KeyPair, signerOf } from "./identity.ts";
import { type Algorithm, PURPOSES, publicKeyOf, type Signer, signJws, verifyJws } from "./jws.ts";

let pairs: Record<Algorithm, KeyPair>;
let keys: Record<Algorithm, KeyObject>;
let agent: Signer;

before(async () => {
  pairs = { EdDSA: await generateKeyPair("EdDSA"), ES256: await generateKeyPair("ES256") };
  keys = { EdDSA: publicKeyOf(pairs.EdDSA.publicJwk), ES256: publicKeyOf(pairs.ES256.publicJwk) };
  agent = signerOf("EdDSA", pairs.EdDSA);
});

const token = { purpose: "token", alg: "EdDSA" } as const;
const reasonOf = async (compact: string, expected: Parameters<typeof verifyJws>[1] = token) => {
  const verified = await verifyJws(compact, expected, (kid) => (kid === agent.kid ? keys.EdDSA : undefined));
  return verified.ok ? "ok" : verified.reason;
};
/** A genuine signature under any header. */
const forge = async (header: unknown, payload: unknown = {}) => {
  const input = `${toBase64url(utf8(JSON.stringify(header)))}.${toBase64url(utf8(JSON.stringify(payload)))}`;
  return `${input}.${toBase64url(await agent.sign(utf8(input)))}`;
};
const header = () => ({ alg: "EdDSA", typ: "sallyport-token+jws", kid: agent.kid });

describe("a signature", () => {
  for (const alg of ["EdDSA", "ES256"] as const) {
    it(`by ${alg} gives its payload to whoever expects it`, async () => {
      const compact = await signJws("grant", { a: 1 }, signerOf(alg, pairs[alg]));
      const verified = await verifyJws(compact, { purpose: "grant", alg }, () => keys[alg]);
      assert.ok(verified.ok);
      assert.deepEqual([verified.kid, JSON.parse(verified.payload.toString())], [pairs[alg].kid, { a: 1 }]);
    });
  }
  it("over bytes carries exactly these bytes", async () => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    const verified = await verifyJws(await signJws("token", bytes, agent), token, () => keys.EdDSA);
    assert.ok(verified.ok && verified.payload.equals(bytes));
  });
  it("for one purpose is worth nothing for another", async () => {
    for (const made of PURPOSES) {
      const compact = await signJws(made, {}, agent);
      for (const purpose of PURPOSES) {
        assert.equal(await reasonOf(compact, { purpose, alg: "EdDSA" }), made === purpose ? "ok" : "typ");
      }
    }
  });
});

describe("a header", () => {
  it("of another algorithm is refused, `none` and an HMAC with the public key too", async () => {
    for (const alg of ["ES256", "none", "HS256", "Ed25519", "", undefined, 7]) {
      assert.equal(await reasonOf(await forge({ ...header(), alg })), "alg");
    }
  });
  it("with another typ, or none, is refused", async () => {
    for (const typ of ["JWT", "sallyport-token", "SALLYPORT-TOKEN+JWS", undefined, null]) {
      assert.equal(await reasonOf(await forge({ ...header(), typ })), "typ");
    }
  });
  it("that brings a key or a rule along is refused", async () => {
    for (const name of ["crit", "jwk", "jku", "x5c", "x5u", "b64"]) {
      for (const value of [null, [], {}, "x", pairs.EdDSA.publicJwk]) {
        assert.equal(await reasonOf(await forge({ ...header(), [name]: value })), "header", name);
      }
    }
  });
  it("without a kid, or with one nobody pinned, is refused", async () => {
    for (const kid of [undefined, null, 5, "", "other"]) {
      assert.equal(await reasonOf(await forge({ ...header(), kid })), "kid");
    }
  });
  it("is judged before any key is looked up", async () => {
    const asked: string[] = [];
    const bad = [{ alg: "ES256" }, { typ: "JWT" }, { jwk: {} }, { crit: ["b64"] }, { kid: 5 }];
    for (const over of bad) {
      await verifyJws(await forge({ ...header(), ...over }), token, (kid) => {
        asked.push(kid);
        return keys.EdDSA;
      });
    }
    assert.deepEqual(asked, []);
  });
});

describe("what is no signature of the pinned key", () => {
  it("a payload or a signature with one character changed", async () => {
    const [head, body, signature] = (await forge(header(), { amount: 100 })).split(".");
    const other = (text: string, at: number) =>
      `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
    for (let at = 0; at < body!.length; at++) {
      assert.equal(await reasonOf(`${head}.${other(body!, at)}.${signature}`), "signature");
    }
    // The last character holds bits that belong to no byte.
    for (let at = 0; at < signature!.length - 1; at++) {
      assert.equal(await reasonOf(`${head}.${body}.${other(signature!, at)}`), "signature");
    }
  });
  it("a signature by another key under this kid", async () => {
    const other = await generateKeyPair("EdDSA");
    const compact = await signJws("token", {}, { ...signerOf("EdDSA", other), kid: agent.kid });
    assert.equal(await reasonOf(compact), "signature");
  });
  it("garbage is refused, never thrown", async () => {
    const compact = await forge(header());
    const [head, body, signature] = compact.split(".");
    for (const text of [
      "",
      ".",
      "..",
      "...",
      "a",
      "a.b.c",
      "{}.{}.{}",
      compact.repeat(2),
      "é".repeat(9),
      `${head}`,
      `${compact}.x`,
    ]) {
      assert.notEqual(await reasonOf(text), "ok", text);
    }
    for (const text of [`${head}.${body}.`, `${head}..${signature}`]) {
      assert.equal(await reasonOf(text), "signature", text);
    }
    for (const json of ["null", "[]", "7", '"x"', "{"]) {
      assert.notEqual(await reasonOf(`${toBase64url(utf8(json))}.${body}.${signature}`), "ok");
    }
  });
});
