import type { Delivery, EventContext, Receiver } from "rhea";
import type { Inlet } from "../broker/inlet.ts";
import type { Journal } from "../broker/journal.ts";
import { readTransfer, SINGLE_FORMAT } from "./batch.ts";
import { accepted, type Refusal, refusals, rejected } from "./refusal.ts";
import { answerDelivery, RAW_FORMAT } from "./rhea-server.ts";

/** The limit of the Standard tier, for a message and for a batch. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

const CREDIT = 1000;

/** Takes what a client sends to an entity, and answers only when it is safe in the journal. */
export function acceptMessages(receiver: Receiver, inlet: Inlet, journal: Journal): void {
  offerCredit(receiver, CREDIT);
  receiver.on("message", (context: EventContext) => {
    const refusal = store(context, inlet);
    if (context.delivery) answerWhenCommitted(context.delivery, refusal, journal);
    offerCredit(receiver, CREDIT);
  });
}

/** Tops the sender's credit up, in steps, so that not every message costs a flow frame. */
export function offerCredit(receiver: Receiver, credit: number): void {
  const missing = credit - (receiver as unknown as { credit: number }).credit;
  if (missing >= credit / 2) receiver.add_credit(missing);
}

function store(context: EventContext, inlet: Inlet): Refusal | undefined {
  const { message: bytes, format } = context as unknown as { message: Buffer; format: number };
  if (bytes.length > MAX_MESSAGE_BYTES) return refusals.tooLarge(bytes.length, MAX_MESSAGE_BYTES);
  try {
    inlet.accept(readTransfer(bytes, format === RAW_FORMAT ? SINGLE_FORMAT : format));
    return undefined;
  } catch (error) {
    return refusals.undecodable(String(error));
  }
}

function answerWhenCommitted(delivery: Delivery, refusal: Refusal | undefined, journal: Journal): void {
  journal.committed().then(
    () => answerDelivery(delivery, refusal ? rejected(refusal) : accepted()),
    (error) => answerDelivery(delivery, rejected(refusals.notStored(String(error)))),
  );
}
