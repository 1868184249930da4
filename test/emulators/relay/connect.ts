import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { authorize } from "./authorize.ts";
import { chooseListener, type Listener } from "./control.ts";
import type { RelayCore } from "./core.ts";
import type { Entity } from "./entities.ts";
import type { AcceptFault } from "./fault-rules.ts";
import type { Target } from "./paths.ts";
import { connectionId } from "./rendezvous.ts";
import { joinSession } from "./session.ts";
import { refuse, track } from "./tracking.ts";
import { breakHandshake, type Handshake, isWebSocketHandshake, offeredProtocols } from "./upgrades.ts";

/**
 * Handles `sb-hc-action=connect`. The sender's upgrade stays unanswered until the listener comes to the rendezvous, so that
 * the sender's 101 means "connected to a listener", with the sub-protocol that the listener chose.
 */
export async function connect(
  core: RelayCore,
  handshake: Handshake,
  target: Target,
  path: readonly string[],
): Promise<void> {
  const { request, socket } = handshake;
  const refuseWith = (status: number, reason: string) => refuse(socket, status, track(reason, path.join("/")).text);
  const entity = core.entities.serving(path);
  if (!isWebSocketHandshake(request)) return refuseWith(400, "Not a WebSocket handshake");
  if (entity?.requiresClientAuthorization !== false) {
    const verdict = await authorize(core.settings, senderToken(request, target), "Send", path, entity);
    if (!verdict.allowed) return refuseWith(verdict.status, verdict.reason);
  }
  if (!entity) return refuseWith(404, "Endpoint does not exist");
  if (breakHandshake(core, "connect", path, handshake)) return;
  const listener = chooseListener(entity);
  if (!listener) return refuseWith(404, "There are no listeners connected for the endpoint");
  waitForListener(core, handshake, target, entity, listener);
}

function senderToken(request: IncomingMessage, target: Target): string | undefined {
  const header = request.headers.servicebusauthorization;
  return typeof header === "string" ? header : target.service.get("sb-hc-token");
}

function waitForListener(
  core: RelayCore,
  handshake: Handshake,
  target: Target,
  entity: Entity,
  listener: Listener,
): void {
  const { request, socket } = handshake;
  const id = connectionId(target);
  const system = entity.segments.join("/");
  const patience = keepUnanswered(socket, () => appointment.cancel());
  const appointment = core.rendezvous.arrange(core.rendezvousOrigin(), {
    action: "accept",
    target,
    path: entity.segments,
    id,
    validMs: core.settings.timings.acceptMs,
    accepted(rendezvous) {
      const head = Buffer.concat([handshake.head, patience.end()]);
      const choice = offeredProtocols(rendezvous.request)[0];
      const listenerSide = core.upgrades.complete(rendezvous, "data", choice);
      const senderSide = core.upgrades.complete({ request, socket, head }, "data", choice);
      if (listenerSide && senderSide) joinSession(core, entity, id, listenerSide, senderSide);
      else {
        senderSide?.close(1011, "The listener has gone");
        listenerSide?.close(1001, "The sender has gone");
      }
    },
    rejected(status, reason) {
      patience.end();
      refuse(socket, status, reason); // the listener's own words: no tracking id is added
    },
    expired() {
      patience.end();
      refuse(socket, 504, track("The listener did not accept the connection in the required time", system).text);
    },
  });
  announce(core, listener, { address: appointment.address, id, ...sender(request) });
}

/** The sender as the listener sees it: all its headers as they were spelt, but for the token. */
function sender(request: IncomingMessage) {
  const { remoteAddress: address, remotePort: port } = request.socket;
  return { connectHeaders: headersAsSent(request, ["servicebusauthorization"]), remoteEndpoint: { address, port } };
}

/** Headers with the sender's spelling; repeated ones are joined (RFC 9110, 5.2). `without` is in lower case. */
export function headersAsSent(request: IncomingMessage, without: readonly string[]): Record<string, string> {
  const headers = new Map<string, { name: string; value: string }>();
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at]!;
    const value = request.rawHeaders[at + 1]!;
    const key = name.toLowerCase();
    if (without.includes(key)) continue;
    const before = headers.get(key);
    headers.set(key, before ? { name: before.name, value: `${before.value}, ${value}` } : { name, value });
  }
  return Object.fromEntries([...headers.values()].map(({ name, value }) => [name, value]));
}

type Accept = { address: string; id: string; connectHeaders: Record<string, string>; remoteEndpoint: object };

function announce(core: RelayCore, listener: Listener, accept: Accept): void {
  const fault = core.faultRules.accepts.take(listener.entity.segments);
  for (const message of spoiled(accept, fault)) listener.send({ accept: message });
}

/** The accept messages to send: the one given, unless a fault says otherwise. */
function spoiled(accept: Accept, fault: AcceptFault | undefined): object[] {
  const { connectHeaders, ...rest } = accept;
  switch (fault?.do) {
    case undefined:
      return [accept];
    case "lose":
      return [];
    case "withoutHeaders":
      return [rest];
    case "withoutKey": {
      const keyless = Object.entries(connectHeaders).filter(([name]) => name.toLowerCase() !== "sec-websocket-key");
      return [{ ...rest, connectHeaders: Object.fromEntries(keyless) }];
    }
    case "duplicate":
      return [accept, accept];
    case "forge":
      return [{ ...accept, address: fault?.address ?? "wss://attacker.invalid/" }];
    default:
      fault?.do satisfies undefined;
      return [accept];
  }
}

const MAX_EARLY_BYTES = 64 * 1024;

/**
 * Holds a socket whose upgrade is unanswered. It must not be paused (ws never resumes it), yet its end is only seen by reading: so it is
 * read in non-flowing mode, and what a hasty sender wrote before its 101 is kept and handed back by `end`.
 */
function keepUnanswered(socket: Duplex, gone: () => void): { end(): Buffer } {
  const early: Buffer[] = [];
  let bytes = 0;
  const onReadable = () => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      early.push(chunk);
      bytes += chunk.length;
    }
    if (bytes > MAX_EARLY_BYTES) socket.destroy();
  };
  const onEnd = () => socket.destroy();
  socket.on("readable", onReadable).on("end", onEnd).on("close", gone);
  return {
    end() {
      socket.off("readable", onReadable).off("end", onEnd).off("close", gone);
      return Buffer.concat(early);
    },
  };
}
