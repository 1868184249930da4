import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** Every refusal and close of the service carries a tracking id, which support asks for: reason phrases and close reasons say it. */

export type Tracked = { readonly text: string; readonly trackingId: string };

/** Adds a new tracking id to a reason, as the service spells it. `system` is the path it is about. */
export function track(reason: string, system: string): Tracked {
  const trackingId = `${randomUUID()}_G1`;
  const at = new Date().toISOString().slice(0, 19);
  return { trackingId, text: `${reason}. TrackingId:${trackingId}, SystemTracker:${system}, Timestamp:${at}` };
}

/** A close frame has room for 123 bytes (RFC 6455, 5.5): the reason gives way, the tracking id stays. */
export function closeReason(reason: string): string {
  const tail = `. TrackingId:${randomUUID()}_G1`;
  return `${latin(reason).slice(0, 123 - tail.length)}${tail}`;
}

/** Answers an upgrade with a status instead of 101, and ends the connection. */
export function refuse(socket: Duplex, status: number, reasonPhrase: string): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const phrase = latin(reasonPhrase) || STATUS_CODES[status] || "Unknown";
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

/** A status line holds printable ASCII; anything else could end it early (RFC 9112, 4). */
function latin(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
