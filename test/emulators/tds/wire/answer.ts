/** The answer to one request: tokens and rows into packets, with back-pressure, cancellation and faults. */
import type { Duplex } from "node:stream";
import type { RowFault } from "../faults.ts";
import type { ResultColumn } from "../sql/bound.ts";
import type { Sink } from "../sql/run.ts";
import type { State } from "../sql/state.ts";
import { type SqlError, sqlError } from "../values/errors.ts";
import { partsOf } from "../values/parts.ts";
import { familyOf, isString, type SqlValue } from "../values/type.ts";
import { cutPackets, PACKET } from "./packets.ts";
import { rowEncoder } from "./rows.ts";
import {
  columnMetadata,
  DONE,
  DONE_COUNT,
  DONE_ERROR,
  DONE_IN_TRANSACTION,
  DONE_MORE,
  doneToken,
  environmentText,
  errorToken,
  infoToken,
  transactionToken,
} from "./tokens.ts";
import { encoderOf } from "./types-write.ts";
import { createWriter, type Writer } from "./writer.ts";

const FLUSH_BYTES = 65_536;

/** The connection was cut by a fault or by the client: nothing more can be said. */
export class ConnectionLost extends Error {}

export interface Answer extends Sink {
  readonly writer: Writer;
  error(error: SqlError): void;
  /** Writes the last statement's DONE, because more follows. */
  settle(): void;
  /** Whether an error was told. */
  failed(): boolean;
  /** Ends the message with what `last` writes, or with the last statement's DONE. */
  finish(last?: () => void): Promise<void>;
  /** Ends the message after a cancellation. */
  abandon(): Promise<void>;
}

export interface AnswerOptions {
  readonly state: State;
  readonly socket: Duplex;
  readonly packetBytes: number;
  readonly signal: AbortSignal;
  /** Within a procedure statements end with DONEINPROC. */
  readonly inProcedure: boolean;
  readonly fault: RowFault | null;
  readonly cut: () => void;
}

interface PendingDone {
  readonly status: number;
  readonly command: number;
  readonly count: number;
}

export function createAnswer(options: AnswerOptions): Answer {
  const { state, socket, packetBytes, signal, fault } = options;
  const writer = createWriter();
  // A DONE waits until it is known whether more follows.
  let pending: PendingDone | null = null;
  let failed = false;
  const kind = options.inProcedure ? DONE.inProcedure : DONE.batch;

  const settle = (more: number): void => {
    if (pending === null) return;
    const { status, command, count } = pending;
    pending = null;
    doneToken(writer, kind, status | more, command, count);
  };
  const inTransaction = (): number => (state.transaction === null ? 0 : DONE_IN_TRANSACTION);

  const flush = async (end: boolean): Promise<void> => {
    const { packets, used } = cutPackets(PACKET.response, writer.buffer.subarray(0, writer.at), packetBytes, end);
    writer.buffer.copyWithin(0, used, writer.at);
    writer.at -= used;
    if (packets.length === 0) return;
    if (socket.destroyed) throw new ConnectionLost();
    if (!socket.write(packets)) await drained(socket, signal);
    // Lets an ATTENTION in while rows stream.
    else if (!end) await new Promise((resolve) => setImmediate(resolve));
  };

  const answer: Answer = {
    writer,
    settle: () => settle(DONE_MORE),
    failed: () => failed,
    columns(columns) {
      settle(DONE_MORE);
      columnMetadata(
        writer,
        columns,
        columns.map((column) => encoderOf(column.type, state.textSize)),
      );
    },
    async rows(rows, columns) {
      const encode = rowEncoder(columns.map((column) => encoderOf(column.type, state.textSize)));
      let count = 0;
      for (const row of rows) {
        if (fault !== null) await strike(fault, count, { ...options, writer, row, columns, encode, flush });
        encode(writer, row);
        count++;
        if (writer.at >= FLUSH_BYTES) {
          await flush(false);
          signal.throwIfAborted();
        }
      }
      if (fault?.kind === "error" && fault.afterRows >= count) throw sqlError(fault.number, state.spid);
      return count;
    },
    done(count, command) {
      settle(DONE_MORE);
      const counted = count !== null && state.options.get("NOCOUNT") !== "ON" ? DONE_COUNT : 0;
      pending = { status: counted | inTransaction(), command, count: count ?? 0 };
    },
    info(number, text, line) {
      settle(DONE_MORE);
      infoToken(writer, number, text, line);
    },
    error(error) {
      settle(DONE_MORE);
      errorToken(writer, error);
      failed = true;
      pending = { status: DONE_ERROR | inTransaction(), command: 0, count: 0 };
    },
    databaseChanged(database) {
      settle(DONE_MORE);
      environmentText(writer, "database", database, "");
      infoToken(writer, 5701, `Changed database context to '${database}'.`, 1);
    },
    transactionBegun(descriptor) {
      settle(DONE_MORE);
      transactionToken(writer, 8, descriptor);
    },
    transactionEnded(committed, descriptor) {
      settle(DONE_MORE);
      transactionToken(writer, committed ? 9 : 10, descriptor);
    },
    async finish(last) {
      if (last !== undefined) {
        settle(DONE_MORE);
        last();
      } else if (pending !== null) settle(0);
      else doneToken(writer, kind, (failed ? DONE_ERROR : 0) | inTransaction(), 0, 0);
      await flush(true);
    },
    async abandon() {
      pending = null;
      doneToken(writer, options.inProcedure ? DONE.procedure : DONE.batch, DONE_ERROR | inTransaction(), 0, 0);
      await flush(true);
    },
  };
  return answer;
}

// Resolves when the socket takes more; rejects when the request is cancelled or the client is gone.
function drained(socket: Duplex, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onDrain = () => resolve();
  const onClose = () => reject(new ConnectionLost());
  const onAbort = () => reject(signal.reason);
  socket.on("drain", onDrain);
  socket.on("close", onClose);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    socket.off("drain", onDrain);
    socket.off("close", onClose);
    signal.removeEventListener("abort", onAbort);
  });
}

interface Strike extends AnswerOptions {
  readonly writer: Writer;
  readonly row: SqlValue[];
  readonly columns: readonly ResultColumn[];
  readonly encode: (writer: Writer, row: readonly SqlValue[]) => void;
  readonly flush: (end: boolean) => Promise<void>;
}

async function strike(fault: RowFault, sent: number, on: Strike): Promise<void> {
  const { writer, signal } = on;
  if (fault.kind === "slowRows") {
    if (sent > 0 && sent % fault.everyRows === 0) {
      await sendAll(on);
      await pause(fault.delayMs, signal);
    }
    return;
  }
  if (sent !== fault.afterRows) return;
  switch (fault.kind) {
    case "stallInRow": {
      const from = writer.at;
      on.encode(writer, on.row);
      writer.at = from + Math.ceil((writer.at - from) / 2);
      const kept = writer.at;
      await sendAll(on);
      writer.at = Math.min(kept, writer.at);
      return pause(null, signal);
    }
    case "reset":
      await sendAll(on);
      on.cut();
      throw new ConnectionLost();
    case "error":
      throw sqlError(fault.number, on.state.spid);
    case "wrongLength":
      writer.buffer.fill(0xff, writer.at, Math.min(writer.buffer.length, writer.at + 512));
      writer.buffer[writer.at] = 0xd1;
      writer.at = Math.min(writer.buffer.length, writer.at + 512);
      return;
    case "hugeValue": {
      const at = on.columns.findIndex(({ type }) => isString(type) || familyOf(type) === "binary");
      const start = on.columns.slice(0, at).reduce((sum, { type }) => sum + partsOf(type, "").length, 0);
      if (at >= 0) on.row[start] = hugeValue(on.columns[at], fault.characters);
      return;
    }
  }
}

const hugeValue = (column: ResultColumn | undefined, characters: number): SqlValue =>
  column !== undefined && familyOf(column.type) === "binary" ? Buffer.alloc(characters, 0x78) : "x".repeat(characters);

// Also what does not fill a packet: a short packet in the middle of a message is allowed.
async function sendAll(on: Strike): Promise<void> {
  await on.flush(false);
  const { writer, socket } = on;
  if (writer.at === 0) return;
  const { packets } = cutPackets(PACKET.response, writer.buffer.subarray(0, writer.at), on.packetBytes, true);
  packets[1] = 0;
  writer.at = 0;
  socket.write(packets);
}

/** Waits; with null until the request is cancelled. */
function pause(ms: number | null, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = ms === null ? undefined : setTimeout(resolve, ms);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}
