/** Every kind of fault that the relay can show an agent, one after the other. */
import { setTimeout as pause } from "node:timers/promises";
import type { Relay } from "../../emulators/relay/start.ts";

export interface Trouble {
  readonly name: string;
  /** Seconds that the agent or the relay lets pass by design before it is over. */
  readonly seconds: number;
  bring(relay: Relay): Promise<void> | void;
}

const REFUSED_MS = 3_000;

async function refuse(relay: Relay, port: "control" | "rendezvous"): Promise<void> {
  await relay.faults.refuseConnections(port, true);
  if (port === "control") relay.faults.resetListeners();
  await pause(REFUSED_MS);
  await relay.faults.refuseConnections(port, false);
}

const at = (name: string, seconds: number, bring: Trouble["bring"]): Trouble => ({ name, seconds, bring });

/** What the next listener meets, `times` over. */
const handshake = (name: string, seconds: number, fault: Parameters<Relay["faults"]["handshake"]>[0]): Trouble =>
  at(`listener's handshake: ${name}`, seconds, ({ faults }) => {
    faults.handshake({ on: "listen", times: 1, ...fault });
    faults.resetListeners();
  });

/** Long ones come last: a short soak leaves them out, and says so. */
export const TROUBLES: readonly Trouble[] = [
  at("control channel reset", 1, ({ faults }) => void faults.resetListeners()),
  ...[1001, 1008, 1011, 1012].map((code) =>
    at(`control channel closed with ${code}`, 1, ({ faults }) => void faults.closeListeners(code)),
  ),
  at("daily recycle", 1, ({ faults }) => void faults.recycle()),
  ...(["notJson", "binary", "unknown", "oversize"] as const).map((frame) =>
    at(`control frame: ${frame}`, 1, ({ faults }) => void faults.controlFrame(frame)),
  ),
  ...[401, 403, 503].map((status) => handshake(`${status}`, 2, { do: "status", status })),
  handshake("reset", 2, { do: "reset" }),
  handshake("wrong accept hash", 2, { do: "wrongAcceptHash" }),
  at("TCP refused at the control port", 5, (relay) => refuse(relay, "control")),
  at("TCP refused at the gateway", 5, (relay) => refuse(relay, "rendezvous")),
  ...(["withoutHeaders", "withoutKey", "duplicate"] as const).map((act) =>
    at(`accept: ${act}`, 1, ({ faults }) => void faults.accept({ do: act, times: 1 })),
  ),
  ...(["toListener", "toSender"] as const).flatMap((direction) =>
    (["alter", "drop", "repeat", "reorder"] as const).map((act) =>
      at(
        `message ${act}, ${direction}`,
        1,
        ({ faults }) => void faults.message({ direction, nth: 2, do: act, times: 1 }),
      ),
    ),
  ),
  at("slow and cut into fragments, with pings between", 4, async ({ faults }) => {
    const stop = faults.link({ latencyMs: 20, bytesPerSecond: 4e6, fragmentBytes: 5_000, pings: true });
    await pause(REFUSED_MS);
    stop();
  }),
  at("sessions reset", 1, ({ faults }) => void faults.resetSessions()),
  at("sessions closed", 1, ({ faults }) => void faults.closeSessions(1011)),
  handshake("hangs before its answer", 22, { do: "hangBefore101" }),
  at("accept: lost", 32, ({ faults }) => void faults.accept({ do: "lose", times: 1 })),
  at("accept: forged", 32, ({ faults }) => void faults.accept({ do: "forge", times: 1 })),
  at("control channel frozen", 50, ({ faults }) => void faults.freezeListeners()),
  handshake("404", 65, { do: "status", status: 404 }),
];
