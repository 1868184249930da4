import assert from "node:assert/strict";
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { makeAuthority } from "../tls/certificates.ts";
import { closing, messages, nextAccept, outcome, RULES } from "./clients.ts";
import type { Command } from "./commands.ts";
import type { RelayConfig } from "./config.ts";
import { mintSas } from "./sas.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;
const PATH = "agents/a1";
const MIB = 1024 * 1024;

type Ports = { controlPort: number; rendezvousPort: number };

async function makeConfig(): Promise<{ config: RelayConfig; ca: string }> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"] });
  const namespaceRules = [RULES.listen, RULES.send].map((rule) => ({ ...rule, rights: [...rule.rights] }));
  return { config: { tls, namespaceRules, entities: [{ path: PATH }] }, ca: authority.caPem };
}

async function readPorts(child: ChildProcess): Promise<Ports> {
  const [line] = await once(createInterface({ input: child.stdout! }), "line");
  return JSON.parse(line);
}

/** A relay in a child process, and clients of it. */
async function startProcess(t: TestContext) {
  const { config, ca } = await makeConfig();
  const child = fork(MAIN, { stdio: ["pipe", "pipe", "inherit", "ipc"], execArgv: [] });
  const exited = once(child, "exit");
  const sockets: WebSocket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.terminate();
    child.kill("SIGTERM");
    await exited;
  });
  child.stdin!.write(`${JSON.stringify(config)}\n`);
  const { controlPort } = await readPorts(child);
  let lastId = 0;
  type Distributed<C> = C extends unknown ? Omit<C, "id"> : never;
  async function command(given: Distributed<Command>): Promise<Record<string, number>> {
    lastId += 1;
    const id = lastId;
    child.send({ ...given, id });
    for (;;) {
      const [answer] = await once(child, "message");
      if (answer.id !== id) continue;
      assert.ok(!("error" in answer), answer.error);
      return answer.value;
    }
  }
  function open(url: string, rule?: { name: string; primaryKey: string }): WebSocket {
    const expiry = Math.floor(Date.now() / 1000) + 600;
    const token = rule ? mintSas(`http://localhost/${PATH}`, rule.name, rule.primaryKey, expiry) : undefined;
    const socket = new WebSocket(url, {
      ca,
      perMessageDeflate: false,
      ...(token ? { headers: { ServiceBusAuthorization: token } } : {}),
    });
    socket.on("error", () => undefined);
    sockets.push(socket);
    return socket;
  }
  const url = (action: string) => `wss://localhost:${controlPort}/$hc/${PATH}?sb-hc-action=${action}`;
  return { command, open, url };
}

for (const direction of ["toListener", "toSender"] as const) {
  test(`64 MB ${direction} to a reader that does not read: the relay's memory stays bounded, nothing is lost`, async (t) => {
    const { command, open, url } = await startProcess(t);
    const control = open(url("listen"), RULES.listen);
    await once(control, "open");
    const accepting = nextAccept(control);
    const senderSide = open(url("connect"), RULES.send);
    const listenerSide = open((await accepting).address);
    await Promise.all([once(senderSide, "open"), once(listenerSide, "open")]);
    const [from, to] = direction === "toListener" ? [senderSide, listenerSide] : [listenerSide, senderSide];

    to.pause();
    const { rssBytes: before = 0 } = await command({ do: "memory" });
    const count = 1024;
    for (let n = 0; n < count; n++) from.send(Buffer.alloc(64 * 1024, n));
    while ((await command({ do: "stats" })).heldBytes! <= MIB);
    // Held back: many round trips later the relay still holds no more, and the writer still has most of it.
    for (let n = 0; n < 200; n++) assert.ok((await command({ do: "stats" })).heldBytes! < 2 * MIB);
    const { rssBytes: after = 0 } = await command({ do: "memory" });
    assert.ok(after - before < 40 * MIB, `the relay grew by ${Math.round((after - before) / MIB)} MiB`);
    assert.ok(from.bufferedAmount > 32 * MIB);

    const received = messages(to, count);
    to.resume();
    for (const [n, message] of (await received).entries()) {
      assert.ok(message.length === 64 * 1024 && (message as Buffer)[0] === n % 256);
    }
    const stats = await command({ do: "stats" });
    assert.equal(stats[direction === "toListener" ? "bytesToListener" : "bytesToSender"], 64 * MIB);
  });
}

test("faults, entities and counters over IPC", async (t) => {
  const { command, open, url } = await startProcess(t);
  const listening = command({ do: "listening", path: PATH });
  const control = open(url("listen"), RULES.listen);
  await listening;
  assert.equal((await command({ do: "stats" })).listeners, 1);
  const rule = (await command({ do: "handshake", fault: { do: "status", status: 503 } })) as unknown as number;
  assert.equal((await outcome(open(url("connect"), RULES.send))).status, 503);
  await command({ do: "takeBack", rule });
  const closed = closing(control);
  assert.equal(await command({ do: "removeEntity", path: PATH }), true);
  assert.equal((await closed).code, 1001);
  assert.equal((await outcome(open(url("connect"), RULES.send))).status, 404);
  await assert.rejects(command({ do: "closeListeners", code: 1 }), /code/);
  await assert.rejects(command({ do: "explode" } as never), /do/);
});

test("the process ends when its stdin ends, and on SIGTERM", async () => {
  const { config } = await makeConfig();
  for (const end of [(child: ChildProcess) => child.stdin!.end(), (child: ChildProcess) => child.kill("SIGTERM")]) {
    const child = spawn(process.execPath, [MAIN], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin!.write(`${JSON.stringify(config)}\n`);
    const { controlPort, rendezvousPort } = await readPorts(child);
    assert.ok(controlPort > 0 && rendezvousPort > 0 && controlPort !== rendezvousPort);
    const exited = once(child, "exit");
    end(child);
    assert.deepEqual(await exited, [0, null]);
  }
});

test("a configuration that is wrong is told in full", async () => {
  const child = spawn(process.execPath, [MAIN], { stdio: ["pipe", "ignore", "pipe"] });
  const exited = once(child, "exit");
  child.stdin!.end('{"tls":{"key":1},"entities":[{}]}\n');
  const chunks: Buffer[] = [];
  for await (const chunk of child.stderr!) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  for (const where of ["tls.key", "tls.cert", "entities[0].path"]) assert.ok(text.includes(where), text);
  assert.equal((await exited)[0], 1);
});
