import { randomInt } from "node:crypto";
import type { WebSocket } from "ws";
import { z } from "zod";
import { authorize } from "./authorize.ts";
import type { RelayCore } from "./core.ts";
import type { Entity } from "./entities.ts";
import { abandonWhenIdle } from "./idle.ts";
import { LIMITS } from "./options.ts";
import type { Target } from "./paths.ts";
import { makeResponder, parseJson, type Responder } from "./responder.ts";
import { closeReason, refuse, track } from "./tracking.ts";
import { breakHandshake, type Handshake } from "./upgrades.ts";

/** A listener: the open control channel of one process on one hybrid connection. */
export type Listener = {
  readonly entity: Entity;
  /** Sends one JSON message. */
  send(message: object): void;
  /** Sends any frame at all; faults do. */
  sendRaw(data: string | Buffer, binary: boolean): void;
  close(code: number, reason: string): void;
  /** Stops reading and sending without closing, as when something on the way has forgotten the connection. */
  freeze(): void;
  readonly responder: Responder;
  readonly webSocket: WebSocket;
};

const renewal = z.object({ renewToken: z.object({ token: z.string() }) });

/** Handles `sb-hc-action=listen`. */
export async function listen(
  core: RelayCore,
  handshake: Handshake,
  target: Target,
  path: readonly string[],
): Promise<void> {
  const { request, socket } = handshake;
  const entity = core.entities.serving(path);
  const header = request.headers.servicebusauthorization;
  const token = typeof header === "string" ? header : target.service.get("sb-hc-token");
  const verdict = await authorize(core.settings, token, "Listen", path, entity);
  const refuseWith = (status: number, reason: string) => refuse(socket, status, track(reason, path.join("/")).text);
  if (!verdict.allowed) return refuseWith(verdict.status, verdict.reason);
  if (!entity || entity.segments.length !== path.length) return refuseWith(404, "Endpoint does not exist");
  if (entity.listeners.size >= LIMITS.listenersPerEntity) {
    return refuseWith(403, `QuotaExceeded: more than ${LIMITS.listenersPerEntity} listeners on one hybrid connection`);
  }
  if (breakHandshake(core, "listen", path, handshake)) return;
  const webSocket = core.upgrades.complete(handshake, "control");
  if (webSocket) attach(core, entity, webSocket, verdict.expiresAtMs);
}

function attach(core: RelayCore, entity: Entity, webSocket: WebSocket, firstExpiryMs: number) {
  const { settings } = core;
  let expiresAtMs = firstExpiryMs;
  const listener: Listener = {
    entity,
    webSocket,
    responder: makeResponder(),
    send: (message) => listener.sendRaw(JSON.stringify(message), false),
    sendRaw(data, binary) {
      if (frozen) return;
      idle.moved();
      webSocket.send(data, { binary });
    },
    close: (code, reason) => webSocket.close(code, closeReason(reason)),
    freeze() {
      frozen = true;
      webSocket.pause();
    },
  };
  let frozen = false;
  const checking = setInterval(() => {
    if (expiresAtMs <= settings.now()) listener.close(1008, "ExpiredToken: the security token has expired");
  }, settings.timings.tokenCheckMs);
  const recycling = setTimeout(() => listener.close(1011, "The listener is recycled"), settings.timings.recycleMs);
  const idle = abandonWhenIdle(webSocket, settings.timings.idleMs, () => {
    listener.freeze();
    entity.listeners.delete(listener);
  });

  async function renew(token: string) {
    const verdict = await authorize(settings, token, "Listen", entity.segments, entity);
    if (verdict.allowed) expiresAtMs = verdict.expiresAtMs;
    else listener.close(1008, verdict.reason);
  }

  webSocket.on("message", (data: Buffer, isBinary) => {
    if (listener.responder.take(data, isBinary) || isBinary) return;
    const message = renewal.safeParse(parseJson(data));
    if (message.success) void renew(message.data.renewToken.token);
  });
  webSocket.on("close", () => {
    clearInterval(checking);
    clearTimeout(recycling);
    idle.stop();
    entity.listeners.delete(listener);
  });
  entity.listeners.add(listener);
  core.counted.listenersTotal += 1;
  core.listenerCame(entity.path);
}

/** One of the entity's listeners, at random; the service promises no affinity. */
export function chooseListener(entity: Entity): Listener | undefined {
  const listeners = [...entity.listeners].filter(({ webSocket }) => webSocket.readyState === webSocket.OPEN);
  return listeners.length === 0 ? undefined : listeners[randomInt(listeners.length)];
}
