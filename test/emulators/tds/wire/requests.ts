/** One request of a session: what it asks, and its answer. */
import type { Duplex } from "node:stream";
import type { Faults } from "../faults.ts";
import type { LogEvent } from "../log.ts";
import { requireTable } from "../sql/bind-source.ts";
import { BatchEnded, runBatch } from "../sql/execute.ts";
import { parseBatch } from "../sql/parse.ts";
import { requireChange } from "../sql/run-change.ts";
import { resetSession } from "../sql/sessions.ts";
import { fromSqlite } from "../sql/sqlite-errors.ts";
import type { State } from "../sql/state.ts";
import { begin, beginWrite, commit, rollback } from "../sql/transactions.ts";
import { SqlError, sqlError } from "../values/errors.ts";
import { type Answer, ConnectionLost, createAnswer } from "./answer.ts";
import { type BulkLoad, type BulkTarget, startBulk } from "./bulk.ts";
import type { Inbox, Message } from "./inbox.ts";
import { PACKET } from "./packets.ts";
import { allHeaders, type Reader, u8, u16 } from "./reader.ts";
import { type Prepared, type RpcRequest, readRpc, rpcText, runRpc, shown, writeOutcome } from "./rpc.ts";
import { DONE, doneToken, resetToken } from "./tokens.ts";

export interface SessionWire {
  readonly state: State;
  readonly socket: Duplex;
  readonly inbox: Inbox;
  readonly packetBytes: number;
  readonly faults: Faults;
  readonly log: (event: LogEvent) => void;
  readonly cut: () => void;
  readonly prepared: Map<number, Prepared>;
  /** What the last INSERT BULK announced. */
  bulk: BulkTarget | null;
}

type Body = (answer: Answer, onError: (error: SqlError) => void) => Promise<void>;

/** Answers one message. Throws ConnectionLost, the signal's reason, and defects. */
export async function serve(
  wire: SessionWire,
  message: Message & { readonly last: boolean },
  signal: AbortSignal,
): Promise<void> {
  const reader: Reader = { buffer: message.payload, at: 0 };
  if (message.ignored) return respond(wire, signal, "", false, async () => undefined);
  if (message.type === PACKET.bulk) return serveBulk(wire, message, signal);
  allHeaders(reader);
  const { state } = wire;
  const reset = (answer: Answer): void => {
    if (!message.reset) return;
    resetSession(state);
    resetToken(answer.writer);
  };
  switch (message.type) {
    case PACKET.batch: {
      const text = reader.buffer.toString("utf16le", reader.at);
      wire.log({ kind: "batch", text });
      return respond(wire, signal, text, false, async (answer, onError) => {
        reset(answer);
        state.variables = new Map();
        const statements = parseBatch(text);
        await runBatch({ state, sink: answer, signal }, statements, onError);
        const bulk = statements.find((statement) => statement.is === "insertBulk");
        if (bulk?.is === "insertBulk") wire.bulk = { table: requireTable(state, bulk.table), columns: bulk.columns };
      });
    }
    case PACKET.rpc:
      return serveRpc(wire, reader, signal, reset);
    case PACKET.transaction:
      return serveTransaction(wire, reader, signal, reset);
    default:
      throw new RangeError(`a message of type 0x${message.type.toString(16)}`);
  }
}

async function respond(
  wire: SessionWire,
  signal: AbortSignal,
  text: string,
  inProcedure: boolean,
  body: Body,
): Promise<void> {
  const { state, socket, packetBytes, cut } = wire;
  const fault = text === "" ? null : wire.faults.forStatement(text);
  const answer = createAnswer({ state, socket, packetBytes, signal, inProcedure, fault, cut });
  const onError = (error: SqlError): void => {
    wire.log({ kind: "error", number: error.number, message: error.message });
    answer.error(error);
  };
  try {
    signal.throwIfAborted();
    if (fault?.kind === "error" && fault.afterRows === 0) throw sqlError(fault.number, state.spid);
    await body(answer, onError);
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      await answer.abandon();
      throw error;
    }
    const known = fromSqlite(error, state);
    if (known instanceof SqlError) {
      if (known.ends === "transaction" && state.transaction !== null) {
        const { descriptor } = state.transaction;
        rollback(state);
        answer.transactionEnded(false, descriptor);
      }
      onError(known);
    } else if (!(known instanceof BatchEnded)) throw known;
  }
  await answer.finish(
    inProcedure ? () => doneToken(answer.writer, DONE.procedure, doneStatus(state, answer), 0, 0) : undefined,
  );
}

const doneStatus = (state: State, answer: Answer): number =>
  (answer.failed() ? 0x02 : 0) | (state.transaction === null ? 0 : 0x04);

function serveRpc(
  wire: SessionWire,
  reader: Reader,
  signal: AbortSignal,
  reset: (answer: Answer) => void,
): Promise<void> {
  const { state, prepared } = wire;
  let request: RpcRequest | null = null;
  let refused: unknown = null;
  try {
    request = readRpc(reader);
  } catch (error) {
    refused = error;
  }
  const text = request === null ? "" : rpcText(request, prepared);
  if (request !== null) {
    const parameters = Object.fromEntries(
      request.parameters.map((p, at) => [p.name === "" ? `${at}` : p.name, shown(p)]),
    );
    wire.log({ kind: "rpc", procedure: request.procedure, text, parameters });
  }
  return respond(wire, signal, text, true, async (answer, onError) => {
    if (request === null) throw refused;
    reset(answer);
    const run = { state, sink: answer, signal };
    const outcome = await runRpc(run, request, prepared, onError);
    answer.settle();
    writeOutcome(run, answer.writer, outcome);
  });
}

const BEGIN = 5;
const COMMIT = 7;
const ROLLBACK = 8;
const LEVELS = ["", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "SNAPSHOT"];

function serveTransaction(
  wire: SessionWire,
  reader: Reader,
  signal: AbortSignal,
  reset: (answer: Answer) => void,
): Promise<void> {
  const act = u16(reader);
  return respond(wire, signal, "", false, async (answer) => {
    reset(answer);
    if (act === BEGIN) beginTransaction(wire, answer, LEVELS[u8(reader)] ?? "");
    else if (act === COMMIT) endTransaction(wire, answer, true);
    else if (act === ROLLBACK) endTransaction(wire, answer, false);
    else throw sqlError(102, `transaction request ${act}`);
    answer.done(null, 0);
  });
}

function beginTransaction({ state, log }: SessionWire, answer: Answer, level: string): void {
  if (level !== "") state.isolation = level;
  const { descriptor } = begin(state);
  log({ kind: "transaction", act: "begin", isolation: state.isolation });
  answer.transactionBegun(descriptor);
}

function endTransaction({ state, log }: SessionWire, answer: Answer, committing: boolean): void {
  const { descriptor = 0n, isolation = "" } = state.transaction ?? {};
  log({ kind: "transaction", act: committing ? "commit" : "rollback", isolation });
  if (!committing) rollback(state);
  else if (!commit(state)) return;
  answer.transactionEnded(committing, descriptor);
}

/** Rows go into SQLite packet by packet, in one transaction; if they fail the rest of the message is read and dropped. */
function serveBulk(wire: SessionWire, first: Message & { readonly last: boolean }, signal: AbortSignal): Promise<void> {
  const { state, bulk } = wire;
  wire.bulk = null;
  return respond(wire, signal, "", false, async (answer) => {
    const own = state.transaction === null;
    let rows = 0;
    let whole = false;
    try {
      const load = bulk === null ? null : await openBulk(wire, bulk, signal);
      whole = await readBulk(wire, first, signal, load);
      rows = load?.rows() ?? 0;
    } catch (error) {
      if (own && state.transaction !== null) rollback(state);
      throw error;
    }
    if (own && state.transaction !== null) {
      if (whole) commit(state);
      else rollback(state);
    }
    if (bulk === null) throw sqlError(102, "bulk load");
    wire.log({ kind: "bulk", table: `${bulk.table.schema}.${bulk.table.name}`, rows });
    state.rowCount = rows;
    answer.done(rows, 0);
  });
}

async function openBulk({ state }: SessionWire, bulk: BulkTarget, signal: AbortSignal): Promise<BulkLoad> {
  requireChange(state, bulk.table, "INSERT");
  if (state.transaction === null) begin(state);
  await beginWrite(state, signal);
  return startBulk(state, bulk);
}

// Reads the message to its end whatever happens to its rows; false when the client gave it up.
async function readBulk(
  { inbox }: SessionWire,
  first: Message & { readonly last: boolean },
  signal: AbortSignal,
  load: BulkLoad | null,
): Promise<boolean> {
  let failure: unknown = null;
  let chunk = { payload: first.payload, last: first.last, ignore: first.ignored };
  for (;;) {
    try {
      if (failure === null) load?.push(chunk.payload);
    } catch (error) {
      failure = error;
    }
    failure = signal.aborted ? signal.reason : failure;
    if (chunk.last) break;
    const packet = await inbox.packet();
    if (packet === null) throw new ConnectionLost();
    chunk = packet;
  }
  if (failure !== null) throw failure;
  return !chunk.ignore;
}
