/**
 * Rows of a write on their way to the agent, under the credit that it gives. Nothing is committed there before the end
 * was sent, so until then whatever goes wrong changes nothing.
 */
import { createSendWindow, type SendWindow } from "@sallyport/shared/protocol/credit.ts";
import { FRAME, type FrameType, jsonBody, pieces } from "@sallyport/shared/protocol/frames.ts";
import { FRAME_OVERHEAD } from "@sallyport/shared/protocol/records.ts";
import type { SessionInput } from "./session.ts";

export interface InputSender {
  /** The agent is ready to take so many more bytes. @throws protocol.credit */
  grant(bytes: number): void;
  /** The end was sent, or was about to be: from here on the agent may have committed. */
  readonly ended: boolean;
  /** Sends everything. Rejects with what the rows' own source throws, or the signal's reason. */
  readonly sent: Promise<void>;
}

export function sendInput(
  input: SessionInput,
  send: (type: FrameType, body: Uint8Array, last?: boolean) => void,
  signal: AbortSignal,
): InputSender {
  const window: SendWindow = createSendWindow(0);
  let ended = false;
  const sendPieces = async (type: FrameType, bytes: Uint8Array): Promise<void> => {
    for (const { body, last } of pieces(bytes)) {
      await window.take(body.byteLength + FRAME_OVERHEAD, signal);
      send(type, body, last);
    }
  };
  const sendAll = async (): Promise<void> => {
    let rows = 0;
    let batches = 0;
    await sendPieces(FRAME.inputSchema, input.schema);
    for await (const batch of input.batches) {
      signal.throwIfAborted();
      await sendPieces(FRAME.inputBatch, batch.message);
      rows += batch.rows;
      batches += 1;
    }
    const body = jsonBody({ rows, batches });
    await window.take(body.byteLength + FRAME_OVERHEAD, signal);
    ended = true;
    send(FRAME.inputEnd, body);
  };
  const sent = sendAll();
  return {
    grant: window.grant,
    get ended() {
      return ended;
    },
    sent,
  };
}
