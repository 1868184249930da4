import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, rootCertificates } from "node:tls";
import { type Authority, makeAuthority } from "./certificates.ts";

const NAMES = { names: ["localhost", "emulator.test"], addresses: ["127.0.0.1"] };

/** Resolves with the name the server was verified as, or with the TLS error's code. */
async function handshake(authority: Authority, trust: string, servername: string): Promise<string> {
  const server = createServer(await authority.issue(NAMES)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise<string>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1", servername, ca: trust }, () => {
        resolve(socket.authorized ? "authorized" : "unauthorized");
        socket.destroy();
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a client that trusts the authority accepts its certificates by name", async () => {
  const authority = await makeAuthority();
  assert.equal(await handshake(authority, authority.caPem, "localhost"), "authorized");
  assert.equal(await handshake(authority, authority.caPem, "emulator.test"), "authorized");
});

test("a wrong name, another authority and the public roots are refused", async () => {
  const authority = await makeAuthority();
  const other = await makeAuthority();
  assert.equal(await handshake(authority, authority.caPem, "elsewhere.test"), "ERR_TLS_CERT_ALTNAME_INVALID");
  assert.notEqual(await handshake(authority, other.caPem, "localhost"), "authorized");
  assert.notEqual(await handshake(authority, rootCertificates[0]!, "localhost"), "authorized");
});

test("a certificate says what it is for", async () => {
  const authority = await makeAuthority();
  const ca = new X509Certificate(authority.caPem);
  const { cert, key } = await authority.issue(NAMES);
  const leaf = new X509Certificate(cert);
  assert.equal(ca.ca, true);
  assert.equal(leaf.ca, false);
  assert.ok(leaf.verify(ca.publicKey) && leaf.checkIssued(ca));
  assert.equal(leaf.subjectAltName, "DNS:localhost, DNS:emulator.test, IP Address:127.0.0.1");
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  assert.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
  const ageMs = Date.now() - Date.parse(leaf.validFrom);
  const leftMs = Date.parse(leaf.validTo) - Date.now();
  assert.ok(ageMs >= 3599_000 && leftMs > 29 * 86_400_000 && leftMs <= 30 * 86_400_000);
});

test("a certificate for nothing is refused", async () => {
  const authority = await makeAuthority();
  await assert.rejects(authority.issue({}), RangeError);
});
