import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { channelBindingHash, serverEndPoint } from "./channel-binding.ts";
import { element, explicitTag, octets, oid, TAG } from "./der.ts";

/** A certificate as far as it is looked at: what is signed, by which algorithm, and a signature. */
const certificate = (...algorithm: readonly Buffer[]): Buffer =>
  element(
    TAG.sequence,
    element(TAG.sequence, octets(Buffer.alloc(300, 7))),
    element(TAG.sequence, ...algorithm),
    element(0x03, Buffer.alloc(257)),
  );

const pss = (...parameters: readonly Buffer[]): Buffer =>
  certificate(oid("1.2.840.113549.1.1.10"), element(TAG.sequence, ...parameters));
const pssHash = (hash: string): Buffer => element(explicitTag(0), element(TAG.sequence, oid(hash), Buffer.of(5, 0)));

const NULL = Buffer.of(5, 0);

test("the hash is the signature's, but MD5 and SHA-1 give way to SHA-256 [RFC 5929, 4.1]", () => {
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["RSA with MD5", certificate(oid("1.2.840.113549.1.1.4"), NULL), "sha256"],
    ["RSA with SHA-1", certificate(oid("1.2.840.113549.1.1.5"), NULL), "sha256"],
    ["RSA with SHA-256", certificate(oid("1.2.840.113549.1.1.11"), NULL), "sha256"],
    ["RSA with SHA-384", certificate(oid("1.2.840.113549.1.1.12"), NULL), "sha384"],
    ["RSA with SHA-512", certificate(oid("1.2.840.113549.1.1.13"), NULL), "sha512"],
    ["ECDSA with SHA-1", certificate(oid("1.2.840.10045.4.1")), "sha256"],
    ["ECDSA with SHA-384", certificate(oid("1.2.840.10045.4.3.3")), "sha384"],
    ["RSASSA-PSS with SHA-512", pss(pssHash("2.16.840.1.101.3.4.2.3")), "sha512"],
    ["RSASSA-PSS with what it has by default, SHA-1", pss(), "sha256"],
    ["RSASSA-PSS that names only a salt", pss(element(explicitTag(2), Buffer.of(2, 1, 32))), "sha256"],
  ];
  for (const [name, der, hash] of cases) {
    const expected = Buffer.concat([Buffer.from("tls-server-end-point:"), createHash(hash).update(der).digest()]);
    assert.deepEqual(serverEndPoint(der), expected, name);
  }
});

test("a signature without one hash has no binding", () => {
  assert.equal(serverEndPoint(certificate(oid("1.3.101.112"))), undefined);
  assert.equal(serverEndPoint(pss(pssHash("1.2.3.4"))), undefined);
});

test("the structure's MD5 is the one that Microsoft published for a certificate's hash", () => {
  const hash = Buffer.from("e3ca49271e5089cc48ce82109f1324f41dbeddc29a777410c738f7868c4ff405", "hex");
  const data = Buffer.concat([Buffer.from("tls-server-end-point:"), hash]);
  assert.equal(channelBindingHash(data).toString("hex"), "6ea19df066da4622051f9c4f92c6df74");
});
