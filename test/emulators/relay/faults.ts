import type { WebSocket } from "ws";
import type { Listener } from "./control.ts";
import type { RelayCore } from "./core.ts";
import type { AcceptFault, FaultRules, HandshakeFault, LinkFault, MessageFault } from "./fault-rules.ts";
import { LIMITS } from "./options.ts";
import { isBelow, pathSegments } from "./paths.ts";
import type { Session } from "./session.ts";

/** What a test can do to the relay's clients. Rules stand until taken away by the function they return, or by `clear`. */
export type Faults = {
  /** Breaks handshakes that would otherwise have succeeded so far. */
  handshake(fault: HandshakeFault): () => void;
  /** Spoils the `accept` messages of connecting senders. */
  accept(fault: AcceptFault): () => void;
  /** Alters, drops, repeats or reorders the n-th data message of a session. */
  message(fault: MessageFault): () => void;
  /** Slows, delays, stops or fragments data. Several apply together. */
  link(fault: LinkFault): () => void;
  clear(): void;
  /** Stops or resumes listening on a port, so that the system refuses TCP connections there. Open ones stay. */
  refuseConnections(port: Port, refuse: boolean): Promise<void>;
  /** Closes control channels with a code such as 1001, 1008, 1011 or 1012; returns how many. */
  closeListeners(code: number, path?: string): number;
  /** Closes both sides of sessions; returns how many. */
  closeSessions(code: number, path?: string): number;
  /** Resets (RST) the TCP connections of control channels; returns how many. */
  resetListeners(path?: string): number;
  /** Resets one side, or both, of sessions; returns how many sessions. */
  resetSessions(side?: "listener" | "sender" | "both", path?: string): number;
  /** Lets control channels stand without a word, as after a lost NAT entry; returns how many. */
  freezeListeners(path?: string): number;
  /** The daily recycle, now: closes control channels as the service does after 24 hours; sessions go on. Returns how many. */
  recycle(path?: string): number;
  /** Sends a frame no listener expects on control channels; returns how many. */
  controlFrame(frame: ControlFrame, path?: string): number;
};

export type Port = "control" | "rendezvous";

/** `text` and `binary` send what is given; the others are made here. */
export type ControlFrame =
  | "notJson"
  | "binary"
  | "oversize"
  | "unknown"
  | { readonly text: string }
  | { readonly binary: Buffer };

export function makeFaults(
  core: RelayCore,
  rules: FaultRules,
  refuseConnections: (port: Port, refuse: boolean) => Promise<void>,
): Faults {
  const listenersOf = (path?: string): Listener[] =>
    core.entities
      .all()
      .filter(({ segments }) => isBelow(segments, scopeOf(path)))
      .flatMap(({ listeners }) => [...listeners]);
  const sessionsOf = (path?: string): Session[] =>
    [...core.sessions].filter(({ entity }) => isBelow(entity.segments, scopeOf(path)));
  return {
    handshake: (fault) => rules.handshakes.add(fault),
    accept: (fault) => rules.accepts.add(fault),
    message: (fault) => rules.messages.add(fault),
    link: (fault) => rules.links.add(fault),
    clear() {
      for (const list of Object.values(rules)) list.clear();
    },
    refuseConnections,
    closeListeners: (code, path) => each(listenersOf(path), (listener) => listener.close(code, "A fault of the test")),
    closeSessions: (code, path) => each(sessionsOf(path), (session) => session.close(code, "A fault of the test")),
    resetListeners: (path) => each(listenersOf(path), ({ webSocket }) => core.reset(webSocket)),
    resetSessions: (side = "both", path) =>
      each(sessionsOf(path), (session) => {
        for (const webSocket of sidesOf(session, side)) core.reset(webSocket);
      }),
    freezeListeners: (path) => each(listenersOf(path), (listener) => listener.freeze()),
    recycle: (path) => each(listenersOf(path), (listener) => listener.close(1011, "The listener is recycled")),
    controlFrame(frame, path) {
      const [data, binary] = frameData(frame);
      return each(listenersOf(path), (listener) => listener.sendRaw(data, binary));
    },
  };
}

function scopeOf(path = ""): string[] {
  const segments = pathSegments(path);
  if (!segments) throw new RangeError(`not a path: ${path}`);
  return segments;
}

function each<T>(things: readonly T[], act: (thing: T) => void): number {
  for (const thing of things) act(thing);
  return things.length;
}

function sidesOf(session: Session, side: "listener" | "sender" | "both"): WebSocket[] {
  const { listenerSide, senderSide } = session;
  if (side === "both") return [listenerSide, senderSide];
  return side === "listener" ? [listenerSide] : [senderSide];
}

function frameData(frame: ControlFrame): [data: string | Buffer, binary: boolean] {
  if (frame === "notJson") return ["{ this is not JSON", false];
  if (frame === "binary") return [Buffer.from([0, 1, 2, 0xff]), true];
  if (frame === "unknown") return [JSON.stringify({ greeting: { from: "the future" } }), false];
  if (frame === "oversize")
    return [JSON.stringify({ accept: { address: "x".repeat(4 * LIMITS.controlMessageBytes) } }), false];
  return "text" in frame ? [frame.text, false] : [frame.binary, true];
}
