import { randomBytes, randomUUID } from "node:crypto";
import type { RelayCore } from "./core.ts";
import type { Target } from "./paths.ts";
import { refuse, track } from "./tracking.ts";
import { breakHandshake, type Handshake, isWebSocketHandshake } from "./upgrades.ts";

/** Addresses on the second port where a listener meets a sender: valid for one successful connection, and for a limited time. */

export type Appointment = {
  readonly action: "accept" | "request";
  /** The sender's target: its suffix and its own parameters become part of the address. */
  readonly target: Target;
  readonly path: readonly string[];
  /** The connection's id: the sender's, or a new one. */
  readonly id: string;
  readonly validMs: number;
  accepted(handshake: Handshake): void;
  rejected(status: number, reason: string): void;
  expired(): void;
};

export type Rendezvous = {
  arrange(origin: string, appointment: Appointment): { address: string; cancel(): void };
  /** Handles a listener's connection to an address. */
  meet(core: RelayCore, handshake: Handshake, target: Target): void;
  waiting(): number;
  cancelAll(): void;
};

const KEY_PARAMETER = "sb-hc-rendezvous";

export function makeRendezvous(): Rendezvous {
  const appointments = new Map<string, { appointment: Appointment; timer: NodeJS.Timeout }>();

  function take(key: string): Appointment | undefined {
    const entry = appointments.get(key);
    if (!entry) return undefined;
    clearTimeout(entry.timer);
    appointments.delete(key);
    return entry.appointment;
  }

  return {
    arrange(origin, appointment) {
      const key = randomBytes(16).toString("hex");
      const timer = setTimeout(() => take(key)?.expired(), appointment.validMs);
      appointments.set(key, { appointment, timer });
      const { target, action, id } = appointment;
      const path = target.rawPath.startsWith("/$hc/") ? target.rawPath : `/$hc${target.rawPath}`;
      const own = target.rawQuery === "" ? "" : `${target.rawQuery}&`;
      const service = `sb-hc-action=${action}&sb-hc-id=${encodeURIComponent(id)}&${KEY_PARAMETER}=${key}`;
      return { address: `${origin}${path}?${own}${service}`, cancel: () => void take(key) };
    },
    meet(core, handshake, target) {
      const { socket, request } = handshake;
      const key = target.service.get(KEY_PARAMETER) ?? "";
      const appointment = appointments.get(key)?.appointment;
      const system = target.segments.slice(1).join("/");
      if (!appointment || target.service.get("sb-hc-action") !== appointment.action) {
        return refuse(socket, 403, track("The rendezvous address is not valid or has expired", system).text);
      }
      if (!isWebSocketHandshake(request)) return refuse(socket, 400, track("Not a WebSocket handshake", system).text);
      if (breakHandshake(core, "rendezvous", appointment.path, handshake)) return;
      take(key);
      const rejection = readRejection(target, request.url ?? "");
      if (!rejection) return appointment.accepted(handshake);
      appointment.rejected(rejection.status, rejection.reason);
      refuse(socket, 410, track("The connection was rejected as asked", system).text);
    },
    waiting: () => appointments.size,
    cancelAll() {
      for (const key of [...appointments.keys()]) take(key);
    },
  };
}

/** hyco-ws 1.0.5 writes the parameters without their prefix; the service takes both. */
function readRejection(target: Target, url: string): { status: number; reason: string } | undefined {
  const plain = new URL(url, "https://localhost").searchParams;
  const text = target.service.get("sb-hc-statuscode") ?? plain.get("statusCode");
  if (text === null || text === undefined) return undefined;
  const status = Number(text);
  const reason = target.service.get("sb-hc-statusdescription") ?? plain.get("statusDescription") ?? "";
  return { status: Number.isInteger(status) && status >= 300 && status <= 599 ? status : 400, reason };
}

/** The id the sender gave, if it is fit to travel, or a new one. */
export function connectionId(target: Target): string {
  const given = target.service.get("sb-hc-id") ?? "";
  return given !== "" && given.length <= 256 ? given : randomUUID();
}
