import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { after, afterEach, describe, it } from "node:test";
import { type Address, allowedNetworks } from "./networks.ts";
import { type PostDeps, postEvent } from "./post.ts";
import { startReceiver } from "./test-receiver.ts";

const receiver = await startReceiver();
after(() => receiver.close());
const BODY = '{"id":"a"}';
const loopback: Address = { address: "127.0.0.1", family: 4 };

function deps(more: Partial<PostDeps> = {}): PostDeps & { asked: string[] } {
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return [loopback];
  };
  return { asked, resolve, networks: allowedNetworks(["127.0.0.0/8"]), timeoutMs: 10_000, ...more };
}
const send = (to: PostDeps, url: string, signal = new AbortController().signal) =>
  postEvent(to, url, BODY, { "webhook-id": "a" }, signal);
const url = `https://hooks.example:${receiver.port}/in?x=1`;

describe("one attempt", () => {
  afterEach(() => {
    receiver.received.length = 0;
    receiver.answer = () => 200;
  });

  it("goes to the address that was looked up, once, with the name in Host and SNI", async () => {
    const to = deps();
    assert.deepEqual(await send(to, url), { ok: true, status: 200 });
    assert.deepEqual(to.asked, ["hooks.example"]);
    const [{ headers, name, body }] = receiver.received as [(typeof receiver.received)[0]];
    assert.deepEqual([headers.host, name, body], [`hooks.example:${receiver.port}`, "hooks.example", BODY]);
    assert.equal(headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert.equal(headers["webhook-id"], "a");
  });

  it("a name whose DNS says something else the second time leads nowhere else", async () => {
    let answers = 0;
    const resolve = async () => {
      answers += 1;
      // The check sees the first answer; the connection would see the second.
      return [answers === 1 ? { address: "127.0.0.2", family: 4 } : loopback];
    };
    const outcome = await send(deps({ resolve, networks: allowedNetworks(["127.0.0.2/32"]) }), url);
    assert.equal(outcome.ok === false && outcome.code, "webhook.unreachable");
    assert.deepEqual([answers, receiver.received.length], [1, 0]);
  });

  it("an address that is not public is refused, also beside one that is, and nothing is connected", async () => {
    const networks = allowedNetworks([]);
    const publicOne = { address: "1.1.1.1", family: 4 };
    for (const addresses of [[loopback], [publicOne, loopback], [publicOne, { address: "fd00::1", family: 6 }]]) {
      const outcome = await send(deps({ networks, resolve: async () => addresses }), url);
      assert.equal(outcome.ok === false && outcome.code, "webhook.address_refused");
    }
    for (const host of ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "127.1"]) {
      const to = deps({ networks });
      const outcome = await send(to, `https://${host}:${receiver.port}/`);
      assert.equal(outcome.ok === false && outcome.code, "webhook.address_refused", host);
      assert.deepEqual(to.asked, [], host);
    }
    assert.equal((await send(deps(), url.replace("https:", "http:"))).ok, false);
    assert.equal(receiver.received.length, 0);
  });

  it("a redirect is not followed", async () => {
    receiver.answer = () => (response) => response.writeHead(307, { location: url }).end();
    const outcome = await send(deps(), url);
    assert.equal(outcome.ok === false && outcome.code, "webhook.redirected");
    assert.equal(receiver.received.length, 1);
  });

  it("any answer but 2xx is a failure, with the pause that it asks for, an hour at most", async () => {
    for (const [status, retryAfter, ms] of [
      [500, undefined, undefined],
      [404, "soon", undefined],
      [429, "7", 7000],
      [503, "999999", 3_600_000],
    ] as const) {
      receiver.answer = () => (response) =>
        response.writeHead(status, retryAfter === undefined ? {} : { "retry-after": retryAfter }).end();
      const outcome = await send(deps(), url);
      assert.ok(!outcome.ok);
      assert.deepEqual([outcome.code, outcome.detail], ["webhook.status", `it answered ${status}`]);
      assert.equal(outcome.retryAfterMs, ms);
    }
    receiver.answer = () => 204;
    assert.deepEqual(await send(deps(), url), { ok: true, status: 204 });
  });

  it("who never answers, in part or at all, is given up in time", async () => {
    for (const hang of [() => undefined, (response: ServerResponse) => void response.writeHead(200).write("a")]) {
      receiver.answer = () => hang;
      const outcome = await send(deps({ timeoutMs: 300 }), url);
      assert.equal(outcome.ok === false && outcome.code, "webhook.timeout");
    }
    const slow = deps({ timeoutMs: 300, resolve: () => new Promise(() => undefined) });
    const outcome = await send(slow, url);
    assert.equal(outcome.ok === false && outcome.code, "webhook.timeout");
  });

  it("of an endless answer little is read, and its status counts", async () => {
    let written = 0;
    receiver.answer = () => (response) => {
      response.writeHead(200);
      const more = () => {
        while (written < 64 * 2 ** 20) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    };
    assert.deepEqual(await send(deps(), url), { ok: true, status: 200 });
    assert.ok(written < 64 * 2 ** 20, "the rest was not asked for");
  });

  it("a certificate for another name, and a server that speaks no TLS, are failures", async () => {
    const other = await startReceiver(["another.example"]);
    const plain = await startPlain();
    for (const port of [other.port, plain.port]) {
      const outcome = await send(deps(), `https://hooks.example:${port}/`);
      assert.equal(outcome.ok === false && outcome.code, "webhook.unreachable");
    }
    assert.equal(other.received.length, 0);
    await other.close();
    await plain.close();
  });

  it("nobody there, no such name, no address at all", async () => {
    const gone = await startPlain();
    await gone.close();
    const noName = async () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" }));
    for (const [to, port] of [
      [deps(), gone.port],
      [deps({ resolve: noName }), 443],
      [deps({ resolve: async () => [] }), 443],
    ] as const) {
      const outcome = await send(to, `https://hooks.example:${port}/`);
      assert.equal(outcome.ok === false && outcome.code, "webhook.unreachable");
    }
  });
});

async function startPlain(): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).end("HTTP/1.1 200 OK\r\n\r\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
