import assert from "node:assert/strict";
import { test } from "node:test";
import { getCACertificates } from "node:tls";
import { systemAuthorities } from "./system-authorities.ts";

const bodies = (all: readonly string[]) => new Set(all.map((pem) => pem.replace(/\s/g, "")));

test("the distribution's file holds what Node reads of the system", () =>
  assert.deepEqual(bodies(systemAuthorities()), bodies(getCACertificates("system"))));

test("elsewhere, and where OpenSSL is told of others, it is Node that reads", () => {
  const byNode = getCACertificates("system");
  assert.deepEqual(systemAuthorities("win32", {}), byNode);
  assert.deepEqual(systemAuthorities("linux", { SSL_CERT_DIR: "/nowhere" }), byNode);
});
