/** Turns an accept down by connecting to its reject address: the sender's upgrade then fails with our status. */
import type { Logger } from "pino";
import { WebSocket } from "ws";
import { createAgent, type Network } from "../origin.ts";
import { rejectAddress } from "./rendezvous.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Whoever floods us with connects gets no flood of ours; the relay answers these senders with 504. */
const MAX_AT_ONCE = 16;

export type Reject = (address: string, status: 400 | 503, description: string) => void;

export function createReject(network: Network, log: Logger): Reject {
  let running = 0;
  return (address, status, description) => {
    if (running >= MAX_AT_ONCE) return log.warn("too many accepts to turn down at once; one was left unanswered");
    running += 1;
    const agent = createAgent(network, HANDSHAKE_TIMEOUT_MS);
    const over = (): void => {
      running -= 1;
      agent.destroy();
    };
    let socket: WebSocket;
    try {
      socket = new WebSocket(rejectAddress(address, status, description), {
        agent,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        perMessageDeflate: false,
        followRedirects: false,
      });
    } catch (error) {
      // The constructor throws at once for what it does not take as an address.
      over();
      return log.warn({ why: (error as Error).message }, "an accept could not be turned down");
    }
    // 410 is the relay's success; `ws` reports it as an error and a close like any other refusal.
    socket.on("error", () => {});
    socket.on("open", () => socket.terminate());
    socket.on("close", over);
  };
}
