/**
 * The orchestrator's side of one session after its request was sealed: frames in, rows to a consumer, credit out. It
 * owns no socket: messages come in through `message`, records go out through `wire`. What the agent sends is a claim
 * until it was checked here.
 */
import type { StreamKeys } from "@sallyport/shared/crypto/envelope.ts";
import { type AgentMessage, createAgentStream } from "@sallyport/shared/protocol/agent-stream.ts";
import { createFreeFrameGate, createReceiveWindow } from "@sallyport/shared/protocol/credit.ts";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  costsCredit,
  createOpener,
  createSealer,
  creditBody,
  FRAME,
  type FrameType,
  jsonBody,
  readCredit,
} from "@sallyport/shared/protocol/frames.ts";
import type { Timings } from "@sallyport/shared/protocol/timings.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import { createRowCheck } from "./rows.ts";
import { sendInput } from "./send-input.ts";
import type { Consumer, SessionInput, SessionOutcome } from "./session.ts";

/** The WebSocket of a session, as little of it as is needed. */
export interface Wire {
  send(record: Uint8Array): void;
  close(code: number, reason: string): void;
}

export interface ReceiveOptions {
  readonly keys: StreamKeys;
  readonly limits: Limits;
  readonly windowBytes: number;
  readonly agent: string;
  /** Digest of the agent's policy, from its hello. */
  readonly policy: string;
  /** Id of its mask key, from the same. */
  readonly maskKey: string | null;
  /** Rows to send for a write. */
  readonly input?: SessionInput | undefined;
  /**
   * When a session without an answer leaves open whether something was changed: for a write once its rows' end was
   * sent, for a call from the beginning, never for what may be repeated. Then it ends with `write.outcome_unknown`.
   */
  readonly unsure: "never" | "after input" | "always";
}

/** Seconds without a valid frame after which the other side counts as gone, and between our own heartbeats. */
const SILENCE_MS = 60_000;
const HEARTBEAT_MS = 15_000;
/** The agent takes 20 small frames a second: credit that falls due sooner is sent together. */
const CREDIT_EVERY_MS = 60;
/** How long an agent may take to stop after a cancel. */
const CANCEL_MS = 10_000;
/** What the agent may take longer than its limit to connect and to end. */
const GRACE_MS = 30_000;

export interface Receiving {
  /** A binary message of the WebSocket. */
  message(data: Uint8Array): void;
  /** The WebSocket closed. */
  closed(): void;
  /** A refusal of the agent is a value; an error of the consumer (our own stores) is thrown. */
  readonly outcome: Promise<SessionOutcome>;
}

export function receive(wire: Wire, consumer: Consumer, options: ReceiveOptions, signal: AbortSignal): Receiving {
  const open = createOpener(options.keys.toOrchestrator);
  const seal = createSealer(options.keys.toAgent);
  const stream = createAgentStream(Math.min(options.limits.rowBytes, options.limits.bytes));
  const window = createReceiveWindow(options.windowBytes);
  const gate = createFreeFrameGate();
  const rows = createRowCheck(options.limits);
  const { promise: outcome, resolve, reject } = Promise.withResolvers<SessionOutcome>();
  const stopInput = new AbortController();
  let ended = false;
  let cancelled: ErrorCode | undefined;
  let finishing = false;
  let lastValidMs = performance.now();
  let batches = 0;
  /** Messages are handed on one after the other; the queue is bounded by the credit that was given. */
  let queue: Promise<void> = Promise.resolve();

  const send = (type: FrameType, body: Uint8Array, last?: boolean) => {
    if (!ended) wire.send(seal(type, body, last));
  };
  const end = (settle: () => void, code = 1000) => {
    if (ended) return;
    ended = true;
    clearInterval(heartbeat);
    clearTimeout(overtime);
    clearTimeout(cancelTimer);
    clearTimeout(creditTimer);
    signal.removeEventListener("abort", onAbort);
    stopInput.abort(new SallyportError("request.cancelled", "The session is over."));
    wire.close(code, "");
    settle();
  };
  const isUnsure = (): boolean =>
    options.unsure === "always" || (options.unsure === "after input" && input?.ended === true);
  /** Without an answer of the agent's own. */
  const refuse = (error: SallyportError) => {
    const { code, message, detail } = isUnsure() ? unknownOutcome(error) : error;
    end(() => resolve({ ok: false, code, message, detail }), 1002);
  };
  /** What the agent broke is an outcome; what the consumer throws is thrown. */
  const fail = (thrown: unknown) => {
    if (thrown instanceof SallyportError && (thrown === broken || thrown.code.startsWith("protocol."))) refuse(thrown);
    else if (isUnsure()) refuse(new SallyportError("request.cancelled", "The orchestrator failed on its own side."));
    else end(() => reject(thrown), 1011);
  };
  let broken: unknown;
  const check = <T>(of: () => T): T => {
    try {
      return of();
    } catch (thrown) {
      broken = thrown;
      throw thrown;
    }
  };

  let cancelTimer: NodeJS.Timeout | undefined;
  const cancel = (code: ErrorCode, reason: string) => {
    if (cancelled !== undefined || ended) return;
    cancelled = code;
    send(FRAME.cancel, jsonBody({ reason }));
    cancelTimer = setTimeout(() => refuse(new SallyportError(code, `The session was stopped: ${reason}.`)), CANCEL_MS);
  };
  const onAbort = () => cancel("request.cancelled", "the orchestrator stopped it");

  const heartbeat = setInterval(() => {
    if (performance.now() - lastValidMs > SILENCE_MS) {
      refuse(new SallyportError("protocol.silent", "The agent sent nothing valid for 60 seconds."));
    } else send(FRAME.credit, creditBody(0));
  }, HEARTBEAT_MS);
  const overtime = setTimeout(
    () => cancel("limit.time", "its time was over"),
    options.limits.seconds * 1000 + GRACE_MS,
  );
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();

  let creditTimer: NodeJS.Timeout | undefined;
  let dueCredit = 0;
  const sendCredit = () => {
    creditTimer = undefined;
    if (dueCredit === 0) return;
    send(FRAME.credit, creditBody(dueCredit));
    dueCredit = 0;
    if (!ended) creditTimer = setTimeout(sendCredit, CREDIT_EVERY_MS);
  };
  const staged = (bytes: number) => {
    dueCredit += window.staged(bytes);
    if (creditTimer === undefined) sendCredit();
  };

  /** Hands one whole message on; settles when its bytes are staged. */
  async function handle(message: AgentMessage): Promise<void> {
    switch (message.kind) {
      case "schema":
        return consumer.schema({
          ...check(() => rows.schema(message.bytes)),
          policy: options.policy,
          maskKey: options.maskKey,
          agent: options.agent,
        });
      case "batch":
        batches += 1;
        return consumer.batch(check(() => rows.batch(message.bytes)));
      case "checkpoint": {
        rows.expectCount(message.body.rows);
        if (message.body.position === undefined) return;
        const answer = await consumer.checkpoint({ ...message.body, position: message.body.position });
        if (answer === "finish" && !finishing) {
          finishing = true;
          send(FRAME.finish, new Uint8Array(0));
        }
        return;
      }
      case "error": {
        const { code, message: text, detail } = message.body;
        // Who cancelled wants to know that; but more, that something may have been changed.
        const told = code === "write.outcome_unknown" ? code : (cancelled ?? code);
        return end(() => resolve({ ok: false, code: told, message: text, detail, ...timesOf(message.body) }));
      }
      case "end": {
        rows.expectCount(message.body.rows);
        if (message.body.batches !== batches) {
          throw new SallyportError("protocol.order", "The end counts other batches than were sent.");
        }
        return end(() => resolve({ ok: true, ...message.body }));
      }
      case "result":
        if (consumer.result !== undefined) return consumer.result(check(() => rows.result(message.bytes)));
        throw new SallyportError("protocol.order", "A result came for an operation that gives none.");
      case "progress":
        return;
      case "credit":
        return check(() => input?.grant(readCredit(message.frame)));
      default:
        return message satisfies never;
    }
  }

  const input = options.input && sendInput(options.input, send, stopInput.signal);
  // What ends the session also stops its input; anything else is the rows' own source, and nothing was written then.
  input?.sent.catch((thrown: unknown) => {
    if (!stopInput.signal.aborted) fail(thrown);
  });

  return {
    outcome,
    message: (data) => {
      if (ended) return;
      try {
        const frame = open(data);
        lastValidMs = performance.now();
        const cost = costsCredit(frame.type) ? data.byteLength : 0;
        if (cost > 0) window.arrived(cost);
        else gate(lastValidMs);
        const message = stream(frame);
        queue = queue
          .then(async () => {
            if (ended) return;
            if (message !== undefined) await handle(message);
            if (cost > 0) staged(cost);
          })
          .catch(fail);
      } catch (thrown) {
        fail(thrown);
      }
    },
    closed: () => {
      queue = queue.then(() =>
        refuse(new SallyportError(cancelled ?? "protocol.truncated", "The session closed before its last frame.")),
      );
    },
  };
}

const timesOf = ({ timings }: { readonly timings?: Timings | undefined }) => (timings === undefined ? {} : { timings });

/** What is told of a change in the place of the error that hid its outcome. */
const unknownOutcome = ({ code, detail }: SallyportError): SallyportError =>
  new SallyportError(
    "write.outcome_unknown",
    "The session ended before the agent said whether the change was committed.",
    { ...detail, because: code },
  );
