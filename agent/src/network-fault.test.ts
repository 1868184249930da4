import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { networkFault } from "./network-fault.ts";

test("a port where nobody listens is network.unreachable, in the system's words", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const [error] = await once(
    connect(port, "127.0.0.1").on("connect", () => assert.fail("it answers")),
    "error",
  ).catch((thrown) => [thrown]);
  const fault = networkFault(error);
  assert.equal(fault.code, "network.unreachable");
  assert.match(fault.why, /ECONNREFUSED/);
});

test("what is no error of ours or the system's is cut and made printable", () => {
  const { code, why } = networkFault({ message: `a\u0007b${"x".repeat(1000)}` });
  assert.equal(code, "network.unreachable");
  assert.match(why, /^a b[x]{197}$/);
});
