import type { WebSocket } from "ws";
import type { RelayCore } from "./core.ts";
import type { Entity } from "./entities.ts";
import type { Direction, LinkFault, MessageFault } from "./fault-rules.ts";
import { abandonWhenIdle } from "./idle.ts";
import { type Lane, type Message, makeLane } from "./lane.ts";
import { makeTamper } from "./tamper.ts";
import { closeReason } from "./tracking.ts";

/** A sender and a listener, joined. */
export type Session = {
  readonly id: string;
  readonly entity: Entity;
  readonly listenerSide: WebSocket;
  readonly senderSide: WebSocket;
  /** Closes both sides with one code. */
  close(code: number, reason: string): void;
};

/** Relays message by message, text as text and binary as binary, until one side closes; then delivers what is on its way and closes the other. */
export function joinSession(
  core: RelayCore,
  entity: Entity,
  id: string,
  listenerSide: WebSocket,
  senderSide: WebSocket,
): Session {
  const session: Session = {
    id,
    entity,
    listenerSide,
    senderSide,
    close(code, reason) {
      for (const side of [listenerSide, senderSide]) side.close(code, closeReason(reason));
    },
  };
  const toListener = startLane(core, entity, "toListener", senderSide, listenerSide);
  const toSender = startLane(core, entity, "toSender", listenerSide, senderSide);
  closeAfter(core, toListener, toSender, senderSide, listenerSide, "toListener");
  closeAfter(core, toSender, toListener, listenerSide, senderSide, "toSender");
  core.sessions.add(session);
  core.counted.sessionsTotal += 1;
  const ended = () => {
    const open = [listenerSide, senderSide].some((side) => side.readyState !== side.CLOSED);
    if (!open) core.sessions.delete(session);
  };
  listenerSide.on("close", ended);
  senderSide.on("close", ended);
  return session;
}

function startLane(core: RelayCore, entity: Entity, direction: Direction, from: WebSocket, to: WebSocket): Lane {
  const { counted, faultRules, settings } = core;
  const [bytes, messages] =
    direction === "toListener"
      ? (["bytesToListener", "messagesToListener"] as const)
      : (["bytesToSender", "messagesToSender"] as const);
  let forgotten = false;
  const idle = abandonWhenIdle(to, settings.timings.idleMs, () => {
    forgotten = true;
    to.pause();
  });
  to.on("close", idle.stop);
  const lane = makeLane({
    from,
    to,
    highWaterBytes: settings.highWaterBytes,
    link: () => faultRules.links.standing(entity.segments).filter((fault) => applies(fault, direction)),
    held: (deltaBytes) => {
      counted.heldBytes += deltaBytes;
    },
    sent(message) {
      idle.moved();
      counted[bytes] += message.data.length;
      counted[messages] += 1;
    },
  });
  const tamper = makeTamper((nth): MessageFault | undefined =>
    faultRules.messages.take(entity.segments, (fault) => fault.direction === direction && fault.nth === nth),
  );
  from.on("message", (data: Buffer, binary) => {
    if (forgotten) return;
    for (const message of tamper({ data, binary } satisfies Message)) lane.offer(message);
  });
  return lane;
}

function applies(fault: LinkFault, direction: Direction): boolean {
  return fault.direction === undefined || fault.direction === direction;
}

/** When `from` closes: delivers the rest of `lane`, then closes `to`, whose own messages no longer go anywhere. */
function closeAfter(
  core: RelayCore,
  lane: Lane,
  back: Lane,
  from: WebSocket,
  to: WebSocket,
  direction: Direction,
): void {
  from.on("close", async (code, reason) => {
    back.finish();
    await lane.drained(core.settings.timings.drainMs);
    lane.finish();
    const lost = code === 1006;
    if (core.settings.closeCodes === "relayed" && !lost) {
      if (code === 1005) to.close();
      else to.close(code, reason);
      return;
    }
    if (direction === "toListener") to.close(1001, closeReason("The sender has shut down the connection"));
    else if (lost) to.close(1011, closeReason("The connection to the listener was lost"));
    else to.close(1000, closeReason("The listener has shut down the connection"));
  });
}
