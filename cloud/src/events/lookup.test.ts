import assert from "node:assert/strict";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { dnsResolve } from "./lookup.ts";
import { allowedNetworks } from "./networks.ts";
import { addressesOf } from "./post.ts";

const [A, AAAA] = [1, 28];
const CODES = { NXDOMAIN: 3, SERVFAIL: 2 } as const;
type Answer = readonly Buffer[] | keyof typeof CODES | "silence";
const four = (...bytes: number[]) => Buffer.from(bytes);
const six = (text: string) => Buffer.from(text.replaceAll(":", ""), "hex");

const ANSWERS: Readonly<Record<string, Readonly<Record<number, Answer>>>> = {
  "both.example": { [A]: [four(192, 0, 2, 1), four(192, 0, 2, 2)], [AAAA]: [six("20010db8000000000000000000000001")] },
  "four.example": { [A]: [four(1, 1, 1, 1)], [AAAA]: [] },
  "half.example": { [A]: [four(1, 1, 1, 1)], [AAAA]: "SERVFAIL" },
  "mixed.example": { [A]: [four(1, 1, 1, 1)], [AAAA]: [six("fd000000000000000000000000000001")] },
  "none.example": { [A]: [], [AAAA]: [] },
  "gone.example": { [A]: "NXDOMAIN", [AAAA]: "NXDOMAIN" },
  "silent.example": { [A]: "silence", [AAAA]: "silence" },
};

/** A name server (RFC 1035 section 4) that knows the names above, and notes what it is asked. */
async function startNames() {
  const asked: string[] = [];
  const heard = Promise.withResolvers<void>();
  const socket: Socket = createSocket("udp4", (message: Buffer, from: RemoteInfo) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = message[at]!; length > 0; length = message[at]!) {
      labels.push(message.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const question = message.subarray(12, at + 5);
    const name = labels.join(".").toLowerCase();
    const type = message.readUInt16BE(at + 1);
    asked.push(name);
    const answer = ANSWERS[name]?.[type] ?? "NXDOMAIN";
    if (answer === "silence") return heard.resolve();
    const records = typeof answer === "string" ? [] : answer;
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (typeof answer === "string" ? CODES[answer] : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    const told = records.map((data) => {
      // The question's name, its type, class IN, 60 seconds.
      const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.byteLength]);
      return Buffer.concat([record, data]);
    });
    socket.send(Buffer.concat([head, question, ...told]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  after(() => socket.close());
  return { asked, heard: heard.promise, server: `127.0.0.1:${socket.address().port}` };
}

const never = new AbortController().signal;

describe("a name", () => {
  it("has the addresses that DNS knows, of both families", async () => {
    const { server } = await startNames();
    const found = await dnsResolve([server])("both.example", never);
    assert.deepEqual(found, [
      { address: "192.0.2.1", family: 4 },
      { address: "192.0.2.2", family: 4 },
      { address: "2001:db8::1", family: 6 },
    ]);
  });

  it("of one family, or whose other family's server fails, has those that were found", async () => {
    const { server } = await startNames();
    for (const name of ["four.example", "half.example"]) {
      assert.deepEqual(await dnsResolve([server])(name, never), [{ address: "1.1.1.1", family: 4 }], name);
    }
  });

  it("with one address that may not be called is refused as a whole", async () => {
    const { server } = await startNames();
    const deps = { resolve: dnsResolve([server]), networks: allowedNetworks([]) };
    const refused = await addressesOf(deps, new URL("https://mixed.example/"), never);
    assert.equal("ok" in refused && refused.code, "webhook.address_refused");
    assert.ok(!("ok" in (await addressesOf(deps, new URL("https://four.example/"), never))));
  });

  it("without addresses, or that is not there, is no address", async () => {
    const { server } = await startNames();
    await assert.rejects(dnsResolve([server])("none.example", never), { code: "ENODATA" });
    await assert.rejects(dnsResolve([server])("gone.example", never), { code: "ENOTFOUND" });
  });

  it("whose server is silent is given up with the signal, and its questions with it", async () => {
    const { server, heard } = await startNames();
    const stop = new AbortController();
    const deps = { resolve: dnsResolve([server]), networks: allowedNetworks([]) };
    const asking = addressesOf(deps, new URL("https://silent.example/"), stop.signal);
    await heard;
    stop.abort();
    const refused = await asking;
    assert.ok("ok" in refused);
    assert.deepEqual([refused.code, refused.detail], ["webhook.unreachable", "the name was not found (ECANCELLED)"]);
    await assert.rejects(deps.resolve("four.example", stop.signal), { name: "AbortError" });
  });

  it("that is this machine's is never asked of DNS", async () => {
    const { server, asked } = await startNames();
    for (const name of ["localhost", "LOCALHOST", "a.localhost", "localhost."]) {
      const found = await dnsResolve([server])(name, never);
      assert.deepEqual(
        found.map(({ address }) => address),
        ["127.0.0.1", "::1"],
      );
    }
    assert.deepEqual(asked, []);
    await assert.rejects(dnsResolve([server])("notlocalhost", never), { code: "ENOTFOUND" });
  });
});
