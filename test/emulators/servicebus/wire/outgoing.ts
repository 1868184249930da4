import type { Delivery as AmqpDelivery, EventContext, Sender, Typed } from "rhea";
import type { Journal } from "../broker/journal.ts";
import type { PropertyChanges } from "../broker/message.ts";
import type { Consumer, Delivery, Queue, Settlement } from "../broker/queue.ts";
import { deliveryTag } from "./lock-token.ts";
import { encodeDelivery } from "./message.ts";
import { accepted, modified, refusals, rejected } from "./refusal.ts";
import { answerDelivery, spareCredit } from "./rhea-server.ts";

const PRESETTLED = 1;
const MESSAGE_FORMAT = 0;

type Outcome = {
  undeliverable_here?: boolean;
  message_annotations?: PropertyChanges;
  error?: { condition?: string; info?: Record<string, unknown> };
};

/** Hands a queue's messages to a receiving client, and does what it says about them. Answers how to stop. */
export function deliverMessages(sender: Sender, queue: Queue, journal: Journal): () => void {
  const mode = sender.snd_settle_mode === PRESETTLED ? "receiveAndDelete" : "peekLock";
  // A delivery stays here, and in rhea's buffer, after its lock has expired: the client's late word
  // about it needs an answer too.
  const tokens = new Map<AmqpDelivery, string>();

  const consumer: Consumer = {
    mode,
    ready: () => sender.is_open() && spareCredit(sender) > 0,
    deliver(delivery: Delivery) {
      const bytes = encodeDelivery(delivery);
      if (!delivery.lock) sender.send(bytes, undefined, MESSAGE_FORMAT);
      else tokens.set(sender.send(bytes, deliveryTag(delivery.lock.token), MESSAGE_FORMAT), delivery.lock.token);
    },
  };

  const settle = (
    { delivery }: EventContext,
    settlement: (outcome: Outcome) => Settlement,
    state: (outcome: Outcome) => Typed,
  ) => {
    if (!delivery) return;
    const outcome = (delivery.remote_state ?? {}) as Outcome;
    const result = queue.settle(tokens.get(delivery) ?? "", settlement(outcome));
    tokens.delete(delivery);
    const answer = {
      settled: () => state(outcome),
      lockLost: () => rejected(refusals.lockLost),
      notAllowed: () => rejected(refusals.notAllowed("A dead letter cannot be dead-lettered again.")),
    }[result];
    journal.committed().then(
      () => answerDelivery(delivery, answer()),
      (error) => answerDelivery(delivery, rejected(refusals.notStored(String(error)))),
    );
  };

  sender.on("accepted", (context) => settle(context, () => ({ to: "complete" }), accepted));
  sender.on("released", (context) =>
    settle(
      context,
      () => ({ to: "abandon" }),
      () => modified({}),
    ),
  );
  sender.on("modified", (context) =>
    settle(context, modification, ({ undeliverable_here }) => modified({ undeliverable_here })),
  );
  // With the error in it, the client would read the same state as a failure of the settlement.
  sender.on("rejected", (context) => settle(context, deadLetter, () => rejected()));
  sender.on("sender_flow", () => queue.pump());
  // Not the link's credit but the session's window or buffer may have been what was short.
  sender.on("sendable", () => queue.pump());
  return queue.consume(consumer);
}

function modification({ undeliverable_here, message_annotations }: Outcome): Settlement {
  return { to: undeliverable_here ? "defer" : "abandon", changes: message_annotations ?? {} };
}

function deadLetter({ error }: Outcome): Settlement {
  const { DeadLetterReason: reason, DeadLetterErrorDescription: description, ...changes } = error?.info ?? {};
  return {
    to: "deadLetter",
    changes,
    ...(typeof reason === "string" ? { reason } : {}),
    ...(typeof description === "string" ? { description } : {}),
  };
}
