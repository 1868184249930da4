/** Every kind of fault that the relay can show an agent, one after the other. */
import { setTimeout as pause } from "node:timers/promises";
import type { Relay } from "../../emulators/relay/start.ts";

export interface Trouble {
  readonly name: string;
  /** Seconds that the agent or the relay lets pass by design before it is over. */
  readonly seconds: number;
  /**
   * Ends the control channel: the agent comes back after a pause that doubles each time, for nothing was stable for a
   * minute. So a short soak has room for a few of them only.
   */
  readonly outage?: true;
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
const outage = (name: string, seconds: number, bring: Trouble["bring"]): Trouble => ({
  ...at(name, seconds, bring),
  outage: true,
});

/** What the next listener meets, once. */
const handshake = (name: string, seconds: number, fault: Parameters<Relay["faults"]["handshake"]>[0]): Trouble =>
  outage(`listener's handshake: ${name}`, seconds, ({ faults }) => {
    faults.handshake({ on: "listen", times: 1, ...fault });
    faults.resetListeners();
  });

/** All of them; those without an outage first. */
export const TROUBLES: readonly Trouble[] = [
  ...(["notJson", "binary", "unknown"] as const).map((frame) =>
    at(`control frame: ${frame}`, 1, ({ faults }) => void faults.controlFrame(frame)),
  ),
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
  at("sessions reset", 1, ({ faults }) => void faults.resetSessions()),
  at("sessions closed", 1, ({ faults }) => void faults.closeSessions(1011)),
  at("TCP refused at the gateway", 3, (relay) => refuse(relay, "rendezvous")),
  at("slow and cut into fragments, with pings between", 4, async ({ faults }) => {
    const stop = faults.link({ latencyMs: 20, bytesPerSecond: 4e6, fragmentBytes: 5_000, pings: true });
    await pause(REFUSED_MS);
    stop();
  }),
  outage("control channel reset", 1, ({ faults }) => void faults.resetListeners()),
  outage("control channel closed with 1008", 1, ({ faults }) => void faults.closeListeners(1008)),
  handshake("503", 2, { do: "status", status: 503 }),
  outage("daily recycle", 1, ({ faults }) => void faults.recycle()),
  handshake("wrong accept hash", 2, { do: "wrongAcceptHash" }),
  ...[1001, 1011, 1012].map((code) =>
    outage(`control channel closed with ${code}`, 1, ({ faults }) => void faults.closeListeners(code)),
  ),
  outage("control frame: oversize", 1, ({ faults }) => void faults.controlFrame("oversize")),
  ...[401, 403].map((status) => handshake(`${status}`, 2, { do: "status", status })),
  handshake("reset", 2, { do: "reset" }),
  outage("TCP refused at the control port", 5, (relay) => refuse(relay, "control")),
  handshake("hangs before its answer", 22, { do: "hangBefore101" }),
  at("accept: lost", 32, ({ faults }) => void faults.accept({ do: "lose", times: 1 })),
  at("accept: forged", 32, ({ faults }) => void faults.accept({ do: "forge", times: 1 })),
  outage("control channel frozen", 50, ({ faults }) => void faults.freezeListeners()),
  handshake("404", 65, { do: "status", status: 404 }),
];

/** So many outages fit into a minute. */
const SHORT_OUTAGES = 3;
const SHORT_SECONDS = 10;

/** What a soak of a minute brings: every kind without an outage, and the first outages between them. */
export function shortTroubles(): Trouble[] {
  const quick = TROUBLES.filter(({ seconds }) => seconds < SHORT_SECONDS);
  const [calm, outages] = [quick.filter((each) => !each.outage), quick.filter((each) => each.outage)];
  const every = Math.ceil(calm.length / SHORT_OUTAGES);
  return calm.flatMap((each, index) => {
    const due = index % every === 0 ? outages[index / every] : undefined;
    return due === undefined ? [each] : [due, each];
  });
}
