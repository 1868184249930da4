import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { networkFault } from "./network-fault.ts";

const tunnel = (statusCode: number | undefined, message: string) => ({ code: "ERR_PROXY_TUNNEL", statusCode, message });

for (const [name, error, code, why] of [
  ["407", tunnel(407, "HTTP/1.1 407 dXNlcjpwdw=="), "network.proxy_login", /407/],
  ["another status of a proxy", tunnel(502, "HTTP/1.1 502 for user:pw"), "network.proxy", /\(502\)$/],
  ["a proxy that speaks something else", tunnel(Number.NaN, "user:pw"), "network.proxy", /not answer as one/],
  ["a proxy's silence", tunnel(undefined, "Connection timed out after 9ms"), "network.proxy", /did not answer$/],
  ["a proxy that hangs up", tunnel(undefined, "Connection ended"), "network.proxy", /closed the connection/],
  ["a certificate", { code: "SELF_SIGNED_CERT_IN_CHAIN", message: "x" }, "network.tls", /SELF_SIGNED/],
  ["another name", { code: "ERR_TLS_CERT_ALTNAME_INVALID", message: "is not: evil" }, "network.tls", /ALTNAME/],
  ["an old TLS", { code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", message: "x" }, "network.tls", /TLS 1\.2/],
  ["no name", { code: "ENOTFOUND", message: "getaddrinfo ENOTFOUND h" }, "network.unreachable", /ENOTFOUND h/],
  ["a text", "invalid server key\n", "network.unreachable", /invalid server key $/],
  ["nothing", undefined, "network.unreachable", /undefined/],
] as const) {
  test(`${name}: ${code}, in words of ours`, () => {
    const fault = networkFault(error);
    assert.equal(fault.code, code);
    assert.match(fault.why, why);
    assert.doesNotMatch(fault.why, /user|pw|evil|dXNl/);
  });
}

test("a port where nobody listens is network.unreachable, in the system's words", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const refused = await once(connect(port, "127.0.0.1"), "connect").catch((thrown: unknown) => thrown);
  const { code, why } = networkFault(refused);
  assert.equal(code, "network.unreachable");
  assert.match(why, /ECONNREFUSED/);
});
