/** As much of TDS as stands before a login: PRELOGIN, and TLS inside its packets [MS-TDS 2.2.6.5]. No secret is sent. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

const PRELOGIN = 0x12;
const RESPONSE = 0x04;
const END_OF_MESSAGE = 1;
const HEADER_BYTES = 8;
const ENCRYPTION = 1;
const ENCRYPT_ON = 1;
const ENCRYPT_NOT_SUPPORTED = 2;
const END = 0xff;

function packet(payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = PRELOGIN;
  header[1] = END_OF_MESSAGE;
  header.writeUInt16BE(HEADER_BYTES + payload.length, 2);
  return Buffer.concat([header, payload]);
}

/** Asks for encryption of everything. VERSION, ENCRYPTION, INSTOPT, THREADID and MARS, as drivers send them. */
export function preloginRequest(): Buffer {
  const options = [
    [0, [0, 0, 0, 1, 0, 0]],
    [ENCRYPTION, [ENCRYPT_ON]],
    [2, [0]],
    [3, [0, 0, 0, 0]],
    [4, [0]],
  ] as const;
  const head: number[] = [];
  const data: number[] = [];
  for (const [token, value] of options) {
    head.push(token, 0, options.length * 5 + 1 + data.length, 0, value.length);
    data.push(...value);
  }
  return packet(Buffer.from([...head, END, ...data]));
}

/** What the server says of encryption; undefined for an answer that is none of SQL Server's. */
export function encryptionOf(answer: Buffer): "on" | "unsupported" | undefined {
  if (answer.length < HEADER_BYTES || answer[0] !== RESPONSE) return undefined;
  const payload = answer.subarray(HEADER_BYTES);
  for (let at = 0; at + 5 <= payload.length && payload[at] !== END; at += 5) {
    const offset = payload.readUInt16BE(at + 1);
    if (payload[at] !== ENCRYPTION || offset >= payload.length) continue;
    return payload[offset] === ENCRYPT_NOT_SUPPORTED ? "unsupported" : "on";
  }
  return undefined;
}

/** The first whole packet that arrives. Rejects when the socket ends before, or with something that is no packet. */
export function readPacket(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const end = (): void => reject(new Error("closed"));
    const take = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const length = bytes.length >= 4 ? bytes.readUInt16BE(2) : HEADER_BYTES;
      if (bytes[0] !== RESPONSE) end();
      else if (bytes.length < Math.max(length, HEADER_BYTES)) return;
      socket.off("data", take).off("close", end).pause();
      resolve(bytes);
    };
    socket.on("data", take).on("close", end);
  });
}

/** The socket as TLS sees it during its handshake: what it writes in one turn leaves as one packet, what comes is unpacked. */
export function handshakeStream(socket: Socket): Duplex {
  let flight: Buffer[] = [];
  let bytes = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (flight.length === 0) {
        setImmediate(() => {
          socket.write(packet(Buffer.concat(flight)));
          flight = [];
        });
      }
      flight.push(chunk);
      done();
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= HEADER_BYTES) {
      const length = bytes.readUInt16BE(2);
      if (length < HEADER_BYTES) stream.destroy(new Error("no packet"));
      if (length < HEADER_BYTES || bytes.length < length) return;
      stream.push(bytes.subarray(HEADER_BYTES, length));
      bytes = bytes.subarray(length);
    }
  });
  socket.on("close", () => stream.destroy());
  return stream;
}
