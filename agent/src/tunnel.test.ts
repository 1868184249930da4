/** Proxies as nobody wants them, before an orchestrator that is in order. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpsServer, request, type Server } from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { makeAuthority } from "../../test/emulators/tls/certificates.ts";
import { networkFault } from "./network-fault.ts";
import { createAgent } from "./origin.ts";

let origin: Server;
let caPem: string;
before(async () => {
  const authority = await makeAuthority();
  caPem = authority.caPem;
  origin = createHttpsServer(await authority.issue({ names: ["origin.invalid"] }), (_, response) => {
    response.end("behind the proxy");
  });
  origin.listen(0, "127.0.0.1");
  await once(origin, "listening");
});
after(() => origin.close());

/** A proxy that does this with each connection, once CONNECT has come. */
async function proxyOf(answer: (client: Socket, head: string) => Promise<void> | void) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.setNoDelay(true).on("error", () => client.destroy());
    client.once("data", (head) => void answer(client, String(head)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}
const tunnel = (client: Socket): void => {
  const server = connect((origin.address() as AddressInfo).port, "127.0.0.1").on("error", () => client.destroy());
  client.pipe(server).pipe(client);
  client.on("close", () => server.destroy());
};

/** One request by way of the proxy: the answer's text, or why there was none. */
async function ask(proxy: string, timeoutMs = 20_000): Promise<string> {
  const agent = createAgent({ caPem, proxy }, timeoutMs);
  try {
    const call = request("https://origin.invalid/", { agent });
    call.end();
    const [response] = (await once(call, "response")) as [AsyncIterable<Buffer>];
    return Buffer.concat(await Array.fromAsync(response)).toString();
  } catch (error) {
    return networkFault(error).why;
  } finally {
    agent.destroy();
  }
}

test("an answer that comes byte by byte opens the tunnel, and costs no more than its bytes", async (t) => {
  const answer = `HTTP/1.1 200 OK\r\nVia: ${"1.1 some-proxy ".repeat(20)}\r\n\r\n`;
  const proxy = await proxyOf(async (client) => {
    for (const byte of answer.slice(0, -1)) {
      client.write(byte);
      await setImmediate();
    }
    tunnel(client);
    client.write(answer.at(-1)!);
  });
  t.after(proxy.close);
  const before = process.memoryUsage().rss;
  assert.equal(await ask(`http://127.0.0.1:${proxy.port}`), "behind the proxy");
  assert.ok(process.memoryUsage().rss - before < 128 * 2 ** 20);
});

test("an answer without an end is cut off", async (t) => {
  let sent = 0;
  const proxy = await proxyOf((client) => {
    const more = (): void => {
      while (client.write(`X-More: ${"x".repeat(8000)}\r\n`)) sent += 8010;
      client.once("drain", more);
    };
    client.write("HTTP/1.1 200 OK\r\n");
    more();
  });
  t.after(proxy.close);
  assert.equal(await ask(`http://127.0.0.1:${proxy.port}`), "the proxy did not answer as one");
  assert.ok(sent > 0 && sent < 64 * 2 ** 20, `${sent}`);
});

for (const [what, answer, why] of [
  ["that refuses", "HTTP/1.1 403 No\r\n\r\n", "the proxy refused the tunnel (403)"],
  ["that wants a login", "HTTP/1.1 407 Who\r\n\r\n", "the proxy refused the login, or wants one (407)"],
  ["that is none", "SSH-2.0-OpenSSH_9\r\n\r\n", "the proxy did not answer as one"],
  ["that speaks into the tunnel", "HTTP/1.1 200 OK\r\n\r\n\u0016\u0003\u0001", "the proxy did not answer as one"],
] as const) {
  test(`a proxy ${what} is told as that`, async (t) => {
    const proxy = await proxyOf((client) => void client.write(answer));
    t.after(proxy.close);
    assert.equal(await ask(`http://127.0.0.1:${proxy.port}`), why);
  });
}

test("a proxy that hangs up, one that is silent, and one that is not there", async (t) => {
  const hangsUp = await proxyOf((client) => void client.end());
  t.after(hangsUp.close);
  assert.equal(await ask(`http://127.0.0.1:${hangsUp.port}`), "the proxy closed the connection");
  const silent = await proxyOf(() => {});
  assert.equal(await ask(`http://127.0.0.1:${silent.port}`, 50), "the proxy did not answer");
  silent.close();
  assert.match(await ask(`http://127.0.0.1:${silent.port}`), /ECONNREFUSED/);
});

test("user and password are decoded, and sent to the proxy only", async (t) => {
  const heads: string[] = [];
  const proxy = await proxyOf((client, head) => {
    heads.push(head);
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    tunnel(client);
  });
  t.after(proxy.close);
  assert.equal(await ask(`http://CORP%5Csvc:p%40ss%3A@127.0.0.1:${proxy.port}`), "behind the proxy");
  const login = Buffer.from("CORP\\svc:p@ss:").toString("base64");
  const target = "origin.invalid:443";
  assert.deepEqual(heads, [
    `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Basic ${login}\r\n\r\n`,
  ]);
});

test("an agent that is destroyed ends what still waits for its proxy", async (t) => {
  const came = Promise.withResolvers<Socket>();
  const proxy = await proxyOf((client) => came.resolve(client));
  t.after(proxy.close);
  const agent = createAgent({ caPem, proxy: `http://127.0.0.1:${proxy.port}` });
  const call = request("https://origin.invalid/", { agent }).on("error", () => {});
  call.end();
  const client = await came.promise;
  const closed = once(client, "close");
  agent.destroy();
  await closed;
});
