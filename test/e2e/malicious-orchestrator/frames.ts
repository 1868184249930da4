/** What a thief of the key may send after a good request: frames that open, and are not what they should be. */
import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import type { StreamKeys } from "@sallyport/shared/crypto/envelope.ts";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import type { Attack } from "../malicious-relay/attack.ts";
import type { World } from "../malicious-relay/world.ts";
import { LOGIN, ORDERS, open } from "./requests.ts";

const MIB = 2 ** 20;

/** A sealed frame of any type, flags and body; the counter is the direction's own. */
function rawFrame({ toAgent }: StreamKeys, counter: number, type: number, flags: number, body: Uint8Array): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeBigUInt64BE(BigInt(counter), 4);
  const cipher = createCipheriv("aes-256-gcm", toAgent, iv);
  cipher.setAAD(Uint8Array.of(0x03));
  const sealed = Buffer.concat([cipher.update(Uint8Array.of(type, flags)), cipher.update(body), cipher.final()]);
  return Buffer.concat([Uint8Array.of(0x03), sealed, cipher.getAuthTag()]);
}

const u32 = (value: number): Buffer => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(value);
  return body;
};

/** What is said once a read waits for credit, so that the session is alive and busy; and the journal's code. */
const SAID: readonly [Attack["rule"], string, (keys: StreamKeys) => (Buffer | string)[], string][] = [
  ["P8.2", "a frame of an unknown type", (keys) => [rawFrame(keys, 0, 0x7e, 0, Buffer.alloc(0))], "protocol.order"],
  ["P4.16", "flags that there are not", (keys) => [rawFrame(keys, 0, FRAME.credit, 2, u32(0))], "protocol.order"],
  [
    "P4.16",
    "a credit of three bytes",
    (keys) => [rawFrame(keys, 0, FRAME.credit, 0, Buffer.alloc(3))],
    "protocol.order",
  ],
  [
    "P4.16",
    "a cancel that is no JSON",
    (keys) => [rawFrame(keys, 0, FRAME.cancel, 0, Buffer.from("{"))],
    "protocol.order",
  ],
  [
    "P4.16",
    "a cancel whose reason is a megabyte's beginning",
    (keys) => [rawFrame(keys, 0, FRAME.cancel, 0, jsonBody({ reason: "x".repeat(17_000) }))],
    "protocol.order",
  ],
  [
    "P4.16",
    "a batch, which only an agent sends",
    (keys) => [rawFrame(keys, 0, FRAME.batch, 1, randomBytes(64))],
    "protocol.order",
  ],
  [
    "P4.16",
    "an end, which only an agent sends",
    (keys) => [rawFrame(keys, 0, FRAME.end, 0, jsonBody({}))],
    "protocol.order",
  ],
  [
    "P4.23",
    "credit beyond 64 MiB at once",
    (keys) => [rawFrame(keys, 0, FRAME.credit, 0, u32(0xffffffff))],
    "protocol.credit",
  ],
  [
    "P4.24",
    "a thousand small frames",
    (keys) => Array.from({ length: 1000 }, (_, at) => rawFrame(keys, at, FRAME.credit, 0, u32(0))),
    "protocol.order",
  ],
  [
    "P4.15",
    "a frame under the next counter",
    (keys) => [rawFrame(keys, 1, FRAME.credit, 0, u32(0))],
    "protocol.integrity",
  ],
  [
    "P4.15",
    "a frame under the other direction's key",
    ({ toOrchestrator }) => [rawFrame({ toAgent: toOrchestrator, toOrchestrator }, 0, FRAME.credit, 0, u32(0))],
    "protocol.integrity",
  ],
  ["P4.1", "a text message", () => ["cancel, please"], "protocol.order"],
  ["P4.2", "a record that is too large", () => [randomBytes(262_164)], "protocol.truncated"],
];

/** Starts a read that stops at its first mebibyte, and waits until it has sent that much. */
async function paused(world: World) {
  const sender = await open(world);
  const id = randomBytes(16).toString("hex");
  let heard = 0;
  const waits = new Promise<void>((resolve) => {
    sender.socket.on("message", (data: Buffer) => {
      heard += data.byteLength;
      if (heard > MIB / 2) resolve();
    });
  });
  const keys = await sender.request({ id, connection: "erp", operation: ORDERS, credential: LOGIN, window: MIB });
  await waits;
  return { sender, keys, id, heard: () => heard };
}

export const FRAME_ATTACKS: readonly Attack[] = [
  ...SAID.map(
    ([rule, what, make, code]): Attack => ({
      rule,
      name: `sends ${what} during a read: the session ends with ${code}, and nothing else does`,
      async run(world) {
        const { sender, keys, id } = await paused(world);
        for (const message of make(keys)) sender.socket.send(message);
        const closed = await sender.closed;
        assert.ok([1002, 1009].includes(closed), `closed with ${closed}`);
        const line = await world.site.journaled(({ event, request }) => event === "end" && request === id);
        assert.equal(line.code, code);
      },
    }),
  ),
  {
    rule: "P4.27",
    name: "gives no credit: the source pauses, and no byte beyond the window is sent",
    async run(world) {
      const { sender, heard } = await paused(world);
      // The agent's heartbeat, 10 s later, is all that still comes: it is alive, and has stopped reading.
      await new Promise<void>((resolve) =>
        sender.socket.on("message", (data: Buffer) => {
          if (data.byteLength < 1024) resolve();
        }),
      );
      assert.ok(heard() <= MIB + 16 * 1024, `${heard()} bytes`);
      sender.send(FRAME.cancel, jsonBody({ reason: "test" }));
      sender.socket.terminate();
    },
  },
  {
    rule: "P4.31",
    name: "hangs up in the middle of reads, again and again: their executors go, and their places are free",
    async run(world) {
      for (let count = 0; count < 8; count += 1) {
        const { sender, id } = await paused(world);
        sender.socket.terminate();
        const line = await world.site.journaled(({ event, request }) => event === "end" && request === id);
        assert.equal(line.code, "protocol.truncated");
      }
    },
  },
];
