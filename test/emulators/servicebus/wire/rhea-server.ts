import type { Delivery, Sender, Session, Typed } from "rhea";

/**
 * rhea is written for clients; what a broker must do differently is set here, on the objects of the
 * server's own connections. Its prototypes stay as they are, because a client in the same process
 * shares them.
 */

/** Stands in for message format 0, so that rhea hands over the bytes instead of decoding them. */
export const RAW_FORMAT = 0xffffffff;

type TransferFrame = { performative: { message_format?: number } };

// What rhea's typings leave out.
type SessionInternals = {
  incoming: { on_transfer(frame: TransferFrame, receiver: { _incomplete?: unknown }): void };
  outgoing: { next_delivery_id: number; next_pending_delivery: number; available(): number };
  create_sender(name: string, options?: object): SenderInternals;
};

type SenderInternals = {
  credit: number;
  delivery_count: number;
  issue_flow: boolean;
  _draining: boolean;
  _get_drain(): boolean;
  _process(): void;
};

const internals = (session: Session) => session as unknown as SessionInternals;

/** To be called when a peer has begun a session, before it attaches links. */
export function prepareSession(session: Session): void {
  keepRawBytes(internals(session));
  drainProperly(internals(session));
}

/** How many more messages the link's receiver would take now, counting those that wait to be written. */
export function spareCredit(sender: Sender): number {
  const { outgoing } = internals(sender.session);
  const credit = (sender as unknown as SenderInternals).credit;
  return Math.min(credit - waiting(outgoing), outgoing.available());
}

/**
 * Tells the peer what became of a delivery, as settled.
 *
 * rhea joins neighbouring dispositions into one range and, when the range has one member so far,
 * forgets to compare their states; so everything but "accepted" is written on its own.
 */
export function answerDelivery(delivery: Delivery, state: Typed): void {
  if (!delivery.link.is_open()) return;
  const alone = state.descriptor?.value !== ACCEPTED;
  const connection = delivery.link.connection as unknown as { _process(): void };
  if (alone) connection._process();
  delivery.update(true, state);
  if (alone) connection._process();
  // The peer does not settle once more; unless it counts as settled there, rhea's buffer of
  // outgoing deliveries never frees the slot. To be set after the disposition is queued.
  (delivery as { remote_settled: boolean }).remote_settled = true;
}

const ACCEPTED = 0x24;

function waiting({ next_delivery_id, next_pending_delivery }: SessionInternals["outgoing"]): number {
  return next_delivery_id - next_pending_delivery;
}

function keepRawBytes(session: SessionInternals): void {
  const { incoming } = session;
  const original = incoming.on_transfer;
  incoming.on_transfer = (frame, receiver) => {
    // Later frames of a long message carry no format.
    if (!receiver._incomplete && !frame.performative.message_format) frame.performative.message_format = RAW_FORMAT;
    original.call(incoming, frame, receiver);
  };
}

// rhea's own answer to a drain comes only when credit is left, and may overtake messages that wait
// for the peer's window. A client that gets no answer waits, and then tears its link down.
function drainProperly(session: SessionInternals): void {
  const create = session.create_sender;
  session.create_sender = (name, options) => {
    const sender = create.call(session, name, options);
    const process = sender._process;
    let answering = false;
    sender._process = () => {
      if (sender._draining && waiting(session.outgoing) === 0) {
        answering = true;
        sender.issue_flow = true;
      }
      process.call(sender);
      if (answering) sender._draining = false;
      answering = false;
    };
    sender._get_drain = () => {
      if (!answering) return false;
      sender.delivery_count += sender.credit;
      sender.credit = 0;
      return true;
    };
    return sender;
  };
}
