/** Tokens of the server's answers [MS-TDS 2.2.7]. */
import type { SqlError } from "../values/errors.ts";
import { DEFAULT_COLLATION, type SqlType, type SqlValue } from "../values/type.ts";
import { type Encoder, encoderOf } from "./types-write.ts";
import { bytes, longText, shortText, u8, u16, u32, u64, type Writer } from "./writer.ts";

export const DONE = { batch: 0xfd, procedure: 0xfe, inProcedure: 0xff } as const;
export const DONE_MORE = 0x01;
export const DONE_ERROR = 0x02;
export const DONE_IN_TRANSACTION = 0x04;
export const DONE_COUNT = 0x10;
export const DONE_ATTENTION = 0x20;

const SERVER = "EMULATOR";

export function doneToken(writer: Writer, kind: number, status: number, command: number, count: number): void {
  u8(writer, kind);
  u16(writer, status);
  u16(writer, command);
  u64(writer, BigInt(count));
}

// A length in front that is known only afterwards.
function withLength(writer: Writer, token: number, body: () => void): void {
  u8(writer, token);
  const at = writer.at;
  u16(writer, 0);
  body();
  writer.buffer.writeUInt16LE(writer.at - at - 2, at);
}

export function errorToken(writer: Writer, error: SqlError, state = error.state): void {
  message(writer, 0xaa, { number: error.number, state, class: error.class, text: error.message, line: error.line });
}

export function infoToken(writer: Writer, number: number, text: string, line: number): void {
  message(writer, 0xab, { number, state: 1, class: 0, text, line });
}

interface Message {
  readonly number: number;
  readonly state: number;
  readonly class: number;
  readonly text: string;
  readonly line: number;
}

function message(writer: Writer, token: number, { number, state, class: severity, text, line }: Message): void {
  withLength(writer, token, () => {
    u32(writer, number);
    u8(writer, state);
    u8(writer, severity);
    longText(writer, text.slice(0, 4000));
    shortText(writer, SERVER);
    shortText(writer, "");
    u32(writer, line);
  });
}

const ENVIRONMENT = { database: 1, language: 2, packetSize: 4 } as const;

export function environmentText(writer: Writer, what: keyof typeof ENVIRONMENT, now: string, before: string): void {
  withLength(writer, 0xe3, () => {
    u8(writer, ENVIRONMENT[what]);
    shortText(writer, now);
    shortText(writer, before);
  });
}

export function collationToken(writer: Writer): void {
  withLength(writer, 0xe3, () => bytes(writer, [7, 5, ...DEFAULT_COLLATION.wire, 0]));
}

export function sspiToken(writer: Writer, message: Uint8Array): void {
  withLength(writer, 0xed, () => bytes(writer, message));
}

/** Begin 8, commit 9, rollback 10: the descriptor that the client is to put into its headers from now on. */
export function transactionToken(writer: Writer, what: 8 | 9 | 10, descriptor: bigint): void {
  withLength(writer, 0xe3, () => {
    u8(writer, what);
    if (what !== 8) u8(writer, 0);
    u8(writer, 8);
    u64(writer, descriptor);
    if (what === 8) u8(writer, 0);
  });
}

/** Where the client is to connect instead [MS-TDS 2.2.7.9, type 20]. */
export function routingToken(writer: Writer, host: string, port: number): void {
  const name = Buffer.from(host, "utf16le");
  const head = Buffer.alloc(8);
  head.writeUInt8(20, 0);
  head.writeUInt16LE(5 + name.length, 1);
  head.writeUInt16LE(port, 4);
  head.writeUInt16LE(host.length, 6);
  withLength(writer, 0xe3, () => bytes(writer, Buffer.concat([head, name, Buffer.alloc(2)])));
}

/** The session was reset, as the client asked in its packet's header. */
export function resetToken(writer: Writer): void {
  withLength(writer, 0xe3, () => bytes(writer, [18, 0, 0]));
}

export function loginAck(writer: Writer): void {
  withLength(writer, 0xad, () => {
    bytes(writer, [1, 0x74, 0x00, 0x00, 0x04]);
    shortText(writer, "Microsoft SQL Server");
    bytes(writer, [16, 0, 0x03, 0xe8]);
  });
}

/** FEATUREEXTACK for the one feature that is granted: UTF-8. */
export function featureAck(writer: Writer): void {
  bytes(writer, [0xae, 0x0a, 1, 0, 0, 0, 1, 0xff]);
}

export function returnStatus(writer: Writer, status: number): void {
  u8(writer, 0x79);
  u32(writer, status);
}

/** An OUTPUT parameter; `parts` is its value as a row would hold it. */
export function returnValue(
  writer: Writer,
  ordinal: number,
  name: string,
  type: SqlType,
  parts: readonly SqlValue[],
): void {
  const encoder = encoderOf(type, 0x7fff_ffff);
  u8(writer, 0xac);
  u16(writer, ordinal);
  shortText(writer, name);
  bytes(writer, [1, 0, 0, 0, 0, 0, 0]);
  encoder.typeInfo(writer);
  if (parts[0] === null || parts[0] === undefined) encoder.null(writer);
  else encoder.value(writer, parts, 0);
}

export interface ColumnHead {
  readonly name: string;
  readonly nullable: boolean;
  readonly identity: boolean;
  readonly type: SqlType;
}

const TIMESTAMP_USER_TYPE = 0x50;

export function columnMetadata(writer: Writer, columns: readonly ColumnHead[], encoders: readonly Encoder[]): void {
  u8(writer, 0x81);
  u16(writer, columns.length);
  columns.forEach((column, at) => {
    const version = column.type.name === "rowversion";
    u32(writer, version ? TIMESTAMP_USER_TYPE : 0);
    const updatable = version || column.identity ? 0 : 0x08;
    u16(writer, (column.nullable ? 0x01 : 0) | updatable | (column.identity ? 0x10 : 0));
    encoders[at]?.typeInfo(writer);
    shortText(writer, column.name.slice(0, 128));
  });
}
