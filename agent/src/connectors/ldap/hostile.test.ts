/** Servers that answer a sign-in with what no directory should: each is a clear error, in time, and the socket is gone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { int, octets, parse, sequence, tlv } from "../../../../test/emulators/ldap/ber.ts";
import { makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
import { openDirectory } from "./open.ts";
import type { DirectoryTarget } from "./target.ts";
import { startDirectory } from "./test-directory.ts";

const authority = await makeAuthority();
const certificate = await authority.issue({ names: ["localhost"] });
const SHORT = { connectMs: 700, signInMs: 500, answerMs: 500 };
const never = new AbortController().signal;

/** A server of which only the first answer is of interest. */
async function serve(t: TestContext, form: "tls" | "tcp", answer: (socket: Socket, request: Buffer) => void) {
  const sockets = new Set<Socket>();
  const talk = (socket: Socket): void => {
    socket.on("data", (chunk) => answer(socket, chunk));
    socket.on("error", () => undefined);
  };
  const server = form === "tls" ? createTlsServer(certificate, talk) : createServer(talk);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const targetAt = (port: number, mode: "required" | "startTls"): DirectoryTarget => ({
  ...{ connection: "corp", host: "localhost", port, requestId: "rq_1", refuseOverPrivileged: false },
  tls: { mode, caPem: authority.caPem },
  credential: { user: "svc@corp.example", password: "Correct-horse-7", signIn: "simple" },
});

async function codeOf(target: DirectoryTarget, signal = never): Promise<string> {
  const directory = await openDirectory(target, SHORT, signal).catch((error: unknown) => error);
  assert.ok(directory instanceof SallyportError, "it was opened");
  return directory.code;
}

/** The bytes of a result for message 1. */
const result = (tag: number, code: number, ...more: Buffer[]): Buffer =>
  sequence(int(1), tlv(tag, int(code, 0x0a), octets(""), octets(""), ...more));
const NOTICE = sequence(
  int(0),
  tlv(0x78, int(52, 0x0a), octets(""), octets("shutting down"), tlv(0x8a, "1.3.6.1.4.1.1466.20036")),
);
const loop = sequence(int(1), tlv(0x64, octets(""), tlv(0x30, Buffer.from([0x30, 0x7f, 0x04]))));

const ANSWERS: readonly (readonly [what: string, bytes: Buffer | "end" | "nothing", code: string])[] = [
  ["silence", "nothing", "directory.timeout"],
  ["half a message", result(0x65, 0).subarray(0, 5), "directory.timeout"],
  ["one byte", Buffer.from([0x30]), "directory.timeout"],
  ["HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), "directory.protocol"],
  ["a length of 2 GB", Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]), "directory.protocol"],
  ["a length of five bytes", Buffer.from([0x30, 0x85, 0, 0, 0, 0, 1]), "directory.protocol"],
  ["an indefinite length", Buffer.from([0x30, 0x80, 0x02, 0x01, 0x01]), "directory.protocol"],
  [
    "garbage and then a good answer",
    Buffer.concat([Buffer.from([0x30, 3, 9, 9, 9]), result(0x65, 0)]),
    "directory.protocol",
  ],
  ["an entry that goes beyond its end", loop, "directory.protocol"],
  [
    "an answer to another question",
    sequence(int(7), tlv(0x65, int(0, 0x0a), octets(""), octets(""))),
    "directory.protocol",
  ],
  ["an answer of another kind", result(0x61, 0), "directory.protocol"],
  ["a notice of disconnection", NOTICE, "connection.lost"],
  ["the end", "end", "connection.lost"],
  ["a busy directory", result(0x65, 51), "directory.busy"],
  ["a root without a domain", result(0x65, 0), "directory.protocol"],
  ["a referral", result(0x65, 10, tlv(0xa3, octets("ldap://dc2.corp.example/CN=Kari,DC=x"))), "directory.referral"],
];
for (const [what, bytes, code] of ANSWERS) {
  test(`${what} is ${code}, in time`, { timeout: 20_000 }, async (t) => {
    const { port, sockets } = await serve(t, "tls", (socket) => {
      if (bytes === "end") socket.end();
      else if (bytes !== "nothing") socket.write(bytes);
    });
    assert.equal(await codeOf(targetAt(port, "required")), code);
    await Promise.all([...sockets].map((socket) => once(socket, "close")));
  });
}

test("a message in pieces of one byte is read", async (t) => {
  const { port } = await serve(t, "tls", (socket) => {
    for (const byte of result(0x65, 51)) socket.write(Buffer.from([byte]));
  });
  assert.equal(await codeOf(targetAt(port, "required")), "directory.busy");
});

test("a server that never finishes TLS, or StartTLS, is given up in time", { timeout: 20_000 }, async (t) => {
  const silent = await serve(t, "tcp", () => undefined);
  assert.equal(await codeOf(targetAt(silent.port, "required")), "connection.tls");
  assert.equal(await codeOf(targetAt(silent.port, "startTls")), "directory.timeout");
  const yes = result(0x78, 0);
  const hanging = await serve(t, "tcp", (socket, request) => {
    if (parse(request) !== undefined) socket.write(yes);
  });
  assert.equal(await codeOf(targetAt(hanging.port, "startTls")), "connection.tls");
});

test("a server that does not do StartTLS gets no password in the clear", async (t) => {
  const seen: Buffer[] = [];
  const { port } = await serve(t, "tcp", (socket, request) => {
    seen.push(request);
    socket.write(result(0x78, 52));
  });
  assert.equal(await codeOf(targetAt(port, "startTls")), "directory.busy");
  const sent = Buffer.concat(seen);
  assert.ok(!sent.includes("Correct-horse-7") && !sent.includes("svc@corp.example"));
  assert.equal(parse(sent)?.bytes, sent.length);
});

test("what is sent along with the answer to StartTLS is not taken for the directory's word", async (t) => {
  const { port } = await serve(t, "tcp", (socket) => {
    socket.write(Buffer.concat([result(0x78, 0), result(0x65, 0)]));
  });
  assert.equal(await codeOf(targetAt(port, "startTls")), "directory.protocol");
});

test("an abort while connecting or waiting ends both at once, with its reason", async (t) => {
  const { port, sockets } = await serve(t, "tls", () => stop.abort(new SallyportError("limit.time", "over")));
  const stop = new AbortController();
  assert.equal(await codeOf(targetAt(port, "required"), stop.signal), "limit.time");
  await Promise.all([...sockets].map((socket) => once(socket, "close")));
  assert.equal(await codeOf(targetAt(port, "required"), stop.signal), "limit.time");
});

test("an anonymous success on an empty password is never asked for", async (t) => {
  const { ldap, target } = await startDirectory(t);
  await assert.rejects(openDirectory(target({ password: "" }), SHORT, never), { code: "directory.login_form" });
  assert.equal(ldap.connections, 0);
});
