/** One client: PRELOGIN, TLS, LOGIN7, then request after request until it leaves. */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Faults } from "../faults.ts";
import type { LogEntry, LogEvent } from "../log.ts";
import { closeSession } from "../sql/sessions.ts";
import type { State } from "../sql/state.ts";
import { sqlError } from "../values/errors.ts";
import { ConnectionLost } from "./answer.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { admissionTokens, admit, challengeTokens, type Gate } from "./login.ts";
import { ENCRYPT_NOT_SUPPORTED, ENCRYPT_ON, preloginAnswer, readLogin7, readPrelogin } from "./login7.ts";
import { type Answer, isNegotiate, makeChallenge, readAnswer } from "./ntlm.ts";
import { cutPackets, PACKET, packetReader } from "./packets.ts";
import { type SessionWire, serve } from "./requests.ts";
import { type Certificate, tlsFirst, tlsInsideTds } from "./tls-in-tds.ts";
import { DONE, DONE_ATTENTION, doneToken } from "./tokens.ts";
import { createWriter, type Writer } from "./writer.ts";

export interface Server {
  readonly gate: Gate;
  readonly certificate: Certificate;
  readonly faults: Faults;
  readonly log: LogEntry[];
}

const HANDSHAKE_PACKET_BYTES = 4096;
const TLS_HANDSHAKE = 0x16;

/** Resolves when the connection has ended, whatever way; defects of the emulator are thrown. */
export async function serveConnection(server: Server, socket: Socket): Promise<void> {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  let session = 0;
  const log = (event: LogEvent): void => void server.log.push({ ...event, at: Date.now(), session });
  const certificate = server.faults.forConnection("certificate") ?? server.certificate;
  const [first] = (await Promise.race([once(socket, "data"), once(socket, "close").then(() => [null])])) as [
    Buffer | null,
  ];
  if (first === null) return;
  let stream: Duplex = socket;
  let begun: Buffer = first;
  let encrypted = false;
  if (first[0] === TLS_HANDSHAKE) {
    stream = tlsFirst(socket, certificate, first);
    begun = Buffer.alloc(0);
    encrypted = true;
  }
  const prelogin = await readFirst(stream, begun);
  if (prelogin === null) return;
  const { encryption } = readPrelogin(prelogin.payload);
  const answer = encryption === ENCRYPT_NOT_SUPPORTED || encrypted ? ENCRYPT_NOT_SUPPORTED : ENCRYPT_ON;
  stream.write(cutPackets(PACKET.response, preloginAnswer(answer), HANDSHAKE_PACKET_BYTES, true).packets);
  if (answer === ENCRYPT_ON) {
    stream = tlsInsideTds(socket, certificate, prelogin.rest);
    encrypted = true;
  }
  const wired = receive(stream, answer === ENCRYPT_ON ? Buffer.alloc(0) : prelogin.rest);
  const login = await wired.inbox.message();
  if (login === null) return;
  const asked = readLogin7(login.payload);
  const delay = server.faults.forConnection("loginDelay");
  if (delay !== null) await Promise.race([new Promise((r) => setTimeout(r, delay.delayMs).unref()), wired.closed]);
  const windows = asked.sspi === undefined ? undefined : await askWindows(stream, wired.inbox, asked.sspi);
  if (windows === null) return;
  const login7 = windows === undefined ? asked : { ...asked, user: `${windows.domain}\\${windows.user}` };
  const refusal = server.faults.forConnection("loginError");
  const admission =
    refusal === null
      ? admit(server.gate, login7, windows)
      : { errors: [sqlError(refusal.number, login7.user)], trueState: 1 };
  if ("state" in admission) session = admission.state.spid;
  const { user, database, application, host } = login7;
  const result =
    "state" in admission ? "ok" : { error: admission.errors[0]?.number ?? 18456, state: admission.trueState };
  log({ kind: "login", login: user, database, application, host, encrypted, result });
  const packets = handshake(admissionTokens(admission, login7, server.faults.forConnection("route")));
  if ("errors" in admission) {
    stream.end(packets);
    return;
  }
  stream.write(packets);
  try {
    await serveSession(server, admission.state, stream, socket, wired, login7.packetBytes, log);
  } finally {
    closeSession(admission.state);
    log({ kind: "end" });
    stream.destroy();
  }
}

const handshake = ({ buffer, at }: Writer): Buffer =>
  cutPackets(PACKET.response, buffer.subarray(0, at), HANDSHAKE_PACKET_BYTES, true).packets;

/** Challenges a Windows login; null when it left. Throws for a client that speaks no NTLM. */
async function askWindows(stream: Duplex, inbox: Inbox, first: Buffer): Promise<Answer | null> {
  if (!isNegotiate(first)) throw new RangeError("no NEGOTIATE_MESSAGE");
  const challenge = makeChallenge();
  stream.write(handshake(challengeTokens(challenge)));
  const answer = await inbox.message();
  return answer === null ? null : readAnswer(answer.payload, challenge);
}

async function serveSession(
  server: Server,
  state: State,
  stream: Duplex,
  socket: Socket,
  wired: Received,
  packetBytes: number,
  log: (event: LogEvent) => void,
): Promise<void> {
  const wire: SessionWire = {
    state,
    socket: stream,
    inbox: wired.inbox,
    packetBytes,
    faults: server.faults,
    log,
    cut: () => socket.resetAndDestroy(),
    prepared: new Map(),
    bulk: null,
  };
  const acknowledge = (): void => {
    const writer = createWriter(64);
    doneToken(writer, DONE.batch, DONE_ATTENTION, 0, 0);
    stream.write(cutPackets(PACKET.response, writer.buffer.subarray(0, writer.at), packetBytes, true).packets);
  };
  let running: AbortController | null = null;
  let cancelled = false;
  // LOGIN7 and what belongs to it; no client sends a request before it is let in.
  let answered = wired.messages();
  wired.onAttention(() => {
    // The request may have come in the same chunk, so that it has not begun to run.
    const outstanding = running !== null || wired.messages() > answered;
    log({ kind: "attention", running: outstanding });
    cancelled = outstanding;
    if (outstanding) running?.abort(new Cancelled());
    else acknowledge();
  });
  void wired.closed.then(() => running?.abort(new ConnectionLost()));
  for (;;) {
    const message = await wired.inbox.message();
    if (message === null) return;
    running = new AbortController();
    if (cancelled) running.abort(new Cancelled());
    try {
      await serve(wire, message, running.signal);
    } catch (error) {
      if (error instanceof ConnectionLost) return;
      if (!(error instanceof Cancelled)) throw error;
    } finally {
      running = null;
      answered++;
    }
    // The answer has ended; the acknowledgement is a message of its own.
    if (cancelled) acknowledge();
    cancelled = false;
  }
}

class Cancelled extends Error {}

async function readFirst(stream: Duplex, begun: Buffer): Promise<{ payload: Buffer; rest: Buffer } | null> {
  let bytes = begun;
  const incomplete = (): boolean => bytes.length < 8 || bytes.length < bytes.readUInt16BE(2);
  while (incomplete()) {
    const [chunk] = (await Promise.race([once(stream, "data"), once(stream, "close").then(() => [null])])) as [
      Buffer | null,
    ];
    if (chunk === null) return null;
    bytes = Buffer.concat([bytes, chunk]);
  }
  const length = bytes.readUInt16BE(2);
  return { payload: bytes.subarray(8, length), rest: bytes.subarray(length) };
}

interface Received {
  readonly inbox: Inbox;
  readonly closed: Promise<void>;
  /** How many messages have come whole, ATTENTION not among them. */
  readonly messages: () => number;
  onAttention(handler: () => void): void;
}

function receive(stream: Duplex, rest: Buffer): Received {
  const inbox = createInbox(
    () => stream.pause(),
    () => stream.resume(),
  );
  let onAttention = (): void => undefined;
  let messages = 0;
  const read = packetReader();
  const onData = (chunk: Buffer): void => {
    try {
      for (const packet of read(chunk)) {
        if (packet.type === PACKET.attention) onAttention();
        else {
          if (packet.last) messages++;
          inbox.put(packet);
        }
      }
    } catch {
      stream.destroy();
    }
  };
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  stream.on("data", onData);
  stream.on("error", () => stream.destroy());
  stream.on("end", () => stream.destroy());
  stream.on("close", () => {
    inbox.end();
    resolve();
  });
  if (rest.length > 0) onData(rest);
  return {
    inbox,
    closed,
    messages: () => messages,
    onAttention: (handler) => {
      onAttention = handler;
    },
  };
}
