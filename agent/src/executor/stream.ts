/**
 * The sealed stream of one session, agent's side: frames out under the orchestrator's credit, its cancel and finish in,
 * heartbeats by a timer of their own. It owns no socket: messages come in through `message`, records go out by `send`.
 */
import type { StreamKeys } from "@sallyport/shared/crypto/envelope.ts";
import { createFreeFrameGate, createSendWindow } from "@sallyport/shared/protocol/credit.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  cancelBody,
  costsCredit,
  createOpener,
  createSealer,
  creditBody,
  FRAME,
  type Frame,
  type FrameType,
  jsonBody,
  pieces,
  readBody,
  readCredit,
} from "@sallyport/shared/protocol/frames.ts";
import { isInput } from "@sallyport/shared/protocol/input-stream.ts";
import { FRAME_OVERHEAD } from "@sallyport/shared/protocol/records.ts";
import type { Clock } from "../clock.ts";

const HEARTBEAT_EVERY_MS = 10_000;
const SILENCE_MS = 60_000;
const CHECK_EVERY_MS = 1_000;
const CREDIT_EVERY_MS = 60;

/** What has been sent in this session: `bytes` is what batch frames held. */
export interface Totals {
  rows: number;
  bytes: number;
  batches: number;
}

export interface SealedStream {
  readonly totals: Totals;
  /** Aborts with the SallyportError that ends the session: cancelled, silent, altered, or `stop`ped. */
  readonly signal: AbortSignal;
  /** The other side, or the supervisor, wants no more after the next checkpoint. */
  readonly finishing: boolean;
  /** Sends a message in pieces as credit allows. */
  sendPieces(type: FrameType, bytes: Uint8Array): Promise<void>;
  /** Sends one small JSON frame, under credit where its type costs any. */
  sendJson(type: FrameType, body: unknown): Promise<void>;
  message(message: Uint8Array | "text"): void;
  /** Who takes rows that the other side sends. Without anybody such a frame is out of order. */
  onInput(take: (frame: Frame, recordBytes: number) => void): void;
  /** Gives the other side credit for so many more bytes of input. */
  credit(bytes: number): void;
  finish(): void;
  stop(error: SallyportError): void;
  /** Ends timers; nothing is sent after it. */
  end(): void;
}

export interface StreamOptions {
  readonly keys: StreamKeys;
  /** First credit, in record bytes. */
  readonly windowBytes: number;
  readonly send: (record: Uint8Array) => void;
  readonly clock: Clock;
}

export function createSealedStream({ keys, windowBytes, send, clock }: StreamOptions): SealedStream {
  const seal = createSealer(keys.toOrchestrator);
  const open = createOpener(keys.toAgent);
  const window = createSendWindow(windowBytes);
  const gate = createFreeFrameGate();
  const controller = new AbortController();
  const totals: Totals = { rows: 0, bytes: 0, batches: 0 };
  let finishing = false;
  let ended = false;
  let takeInput: ((frame: Frame, recordBytes: number) => void) | undefined;
  let lastHeardMs = clock.monotonicMs();
  let lastProgressMs = clock.monotonicMs();

  const stop = (error: SallyportError): void => controller.abort(error);

  // Sealing numbers the frame, so sealing and sending are one step.
  const emit = (type: FrameType, body: Uint8Array, last?: boolean): void => {
    if (!ended) send(seal(type, body, last));
  };

  const timer = setInterval(() => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastHeardMs >= SILENCE_MS) {
      stop(new SallyportError("protocol.silent", "The orchestrator said nothing valid for 60 seconds."));
    } else if (nowMs - lastProgressMs >= HEARTBEAT_EVERY_MS) {
      lastProgressMs = nowMs;
      emit(FRAME.progress, jsonBody({ rows: totals.rows, bytes: totals.bytes }));
    }
  }, CHECK_EVERY_MS);

  // The other side takes 20 small frames a second: credit that falls due sooner is sent together.
  let dueCredit = 0;
  let creditTimer: NodeJS.Timeout | undefined;
  const sendCredit = (): void => {
    creditTimer = undefined;
    if (dueCredit === 0 || ended) return;
    emit(FRAME.credit, creditBody(dueCredit));
    dueCredit = 0;
    creditTimer = setTimeout(sendCredit, CREDIT_EVERY_MS);
  };

  const receive = (message: Uint8Array | "text"): void => {
    if (message === "text") throw new SallyportError("protocol.order", "A text message arrived.");
    const frame = open(message);
    lastHeardMs = clock.monotonicMs();
    if (isInput(frame)) {
      if (takeInput === undefined) throw new SallyportError("protocol.order", "Rows came that nobody asked for.");
      takeInput(frame, message.byteLength);
      return;
    }
    gate(lastHeardMs);
    switch (frame.type) {
      case FRAME.credit:
        window.grant(readCredit(frame));
        break;
      case FRAME.cancel:
        readBody(frame, cancelBody);
        stop(new SallyportError("request.cancelled", "The orchestrator cancelled the request."));
        break;
      case FRAME.finish:
        finishing = true;
        break;
      default:
        throw new SallyportError("protocol.order", "A frame that only an agent sends arrived.", { type: frame.type });
    }
  };

  return {
    totals,
    signal: controller.signal,
    get finishing() {
      return finishing;
    },
    async sendPieces(type, bytes) {
      for (const { body, last } of pieces(bytes)) {
        await window.take(body.byteLength + FRAME_OVERHEAD, controller.signal);
        emit(type, body, last);
        if (type === FRAME.batch) totals.bytes += body.byteLength;
      }
    },
    async sendJson(type, body) {
      const bytes = jsonBody(body);
      if (costsCredit(type)) await window.take(bytes.byteLength + FRAME_OVERHEAD, controller.signal);
      emit(type, bytes);
    },
    message(message) {
      if (ended || controller.signal.aborted) return;
      try {
        receive(message);
      } catch (error) {
        stop(
          error instanceof SallyportError
            ? error
            : new SallyportError("protocol.order", "A message could not be read."),
        );
      }
    },
    onInput(take) {
      takeInput = take;
    },
    credit(bytes) {
      dueCredit += bytes;
      if (creditTimer === undefined) sendCredit();
    },
    finish() {
      finishing = true;
    },
    stop,
    end() {
      ended = true;
      clearInterval(timer);
      clearTimeout(creditTimer);
    },
  };
}
