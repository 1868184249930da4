/** From the relay's `accept` to a running session, or to the reject address with the reason. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Logger } from "pino";
import type { Admission } from "./budgets.ts";
import type { Accepted } from "./listener.ts";
import type { Reject } from "./reject.ts";
import { isRendezvousAddress, readSenderHeaders } from "./rendezvous.ts";
import type { RunningSession } from "./session.ts";
import type { Offer } from "./session-deps.ts";

export interface AcceptsDeps {
  readonly admission: Admission;
  readonly reject: Reject;
  readonly begin: (offer: Offer) => RunningSession;
  /** A canary came and was not served: its accept's id, which the orchestrator sets to its request's. */
  readonly turnedDownPing: (id: string) => void;
  /** Host name of the pinned namespace. */
  readonly namespaceHost: () => string;
  readonly rendezvousHosts: readonly string[];
  readonly log: Logger;
}

export interface Accepts {
  onAccept(accept: Accepted): void;
  readonly served: number;
  /** `host:port` where the last accept led: the relay's gateway, which nobody can tell beforehand. */
  readonly gateway: string | null;
  /** Settles when no session is running. */
  idle(): Promise<void>;
  finishAll(): void;
  /** Stops all but pings: these are answered whatever is the matter, and take no longer than a minute. */
  stopAll(code: ErrorCode, message: string): void;
  /** Stops sessions of connections that the owner's policy no longer has. */
  stopWithout(connections: readonly string[]): void;
}

/** Rendezvous addresses are used once; so many of the last ones are remembered. */
const REMEMBERED = 1000;

export function createAccepts(deps: AcceptsDeps): Accepts {
  const { log } = deps;
  const running = new Set<RunningSession>();
  const seen = new Set<string>();
  let served = 0;
  let gateway: string | null = null;

  const isRepeated = (address: string): boolean => {
    if (seen.has(address)) return true;
    seen.add(address);
    const oldest = seen.values().next();
    if (seen.size > REMEMBERED && !oldest.done) seen.delete(oldest.value);
    return false;
  };

  return {
    get served() {
      return served;
    },
    get gateway() {
      return gateway;
    },
    onAccept({ address, id, headers }) {
      if (!isRendezvousAddress(address, deps.namespaceHost(), deps.rendezvousHosts)) {
        log.error({ accept: id }, "an accept leads to a host that is neither the namespace's nor configured: ignored");
        return;
      }
      gateway = gatewayOf(address);
      if (isRepeated(address)) {
        log.warn({ accept: id }, "an accept came twice: ignored");
        return;
      }
      const sender = readSenderHeaders(headers);
      if (!sender.ok) {
        log.warn({ accept: id, why: sender.why }, "an accept was turned down");
        deps.reject(address, 400, "protocol.order");
        return;
      }
      const place = deps.admission.admit(sender.ping);
      if (!place.ok) {
        log.info({ accept: id, code: place.code }, "an accept was turned down");
        // By us, with a reason: the way to here works.
        if (sender.ping) deps.turnedDownPing(id);
        deps.reject(address, 503, place.code);
        return;
      }
      let session: RunningSession;
      try {
        session = deps.begin({ address, challenge: sender.challenge, ping: sender.ping });
      } catch (error) {
        log.error({ accept: id, why: (error as Error).message }, "a session could not begin");
        place.release();
        deps.reject(address, 503, "agent.busy");
        return;
      }
      served += 1;
      running.add(session);
      session.ended
        .catch((error: Error) => log.error({ why: error.message }, "a session's end failed"))
        .finally(() => {
          running.delete(session);
          place.release();
        });
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled([...running].map((session) => session.ended));
    },
    finishAll: () => {
      for (const session of running) session.finish();
    },
    stopWithout: (connections) => {
      for (const session of running) {
        const { connection } = session;
        if (connection === undefined || connections.includes(connection)) continue;
        session.stop("policy.denied", "The agent's owner took the connection out of the policy.");
      }
    },
    stopAll: (code, message) => {
      for (const session of running) if (!session.ping) session.stop(code, message);
    },
  };
}

function gatewayOf(address: string): string {
  const { hostname, port } = new URL(address);
  return `${hostname}:${port || "443"}`;
}
