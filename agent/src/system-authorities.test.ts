import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { getCACertificates } from "node:tls";
import { systemAuthorities } from "./system-authorities.ts";

const bodies = (all: readonly string[]) => new Set(all.map((pem) => pem.replace(/\s/g, "")));

test("the distribution's file holds each authority that Node reads of the system, and nothing else", () => {
  const [ours, byNode] = [systemAuthorities(), getCACertificates("system")];
  assert.deepEqual(
    [...bodies(ours)].filter((each) => !bodies(byNode).has(each)),
    [],
  );
  // Node also reads what lies beside the file, such as the certificate that Debian's ssl-cert makes for the machine itself.
  const missing = byNode.filter((pem) => !bodies(ours).has(pem.replace(/\s/g, "")));
  assert.deepEqual(
    missing.filter((pem) => new X509Certificate(pem).ca),
    [],
  );
});

test("elsewhere, and where OpenSSL is told of others, it is Node that reads", () => {
  const byNode = getCACertificates("system");
  assert.deepEqual(systemAuthorities("win32", {}), byNode);
  assert.deepEqual(systemAuthorities("linux", { SSL_CERT_DIR: "/nowhere" }), byNode);
});
