/** The relay's two kinds of hosts, as far as they can be seen without a token: a control channel is asked for and refused. */
import { randomBytes } from "node:crypto";
import type { Network } from "../origin.ts";
import { trackingIdOf } from "../supervisor/channel.ts";
import { parentDomain } from "../supervisor/rendezvous.ts";
import type { Check, Verdict } from "./check.ts";
import { probe, type Seen, unreached, untrusted } from "./probe.ts";

/**
 * A listener's handshake without a token. The relay answers 401 before it looks at anything else, so nothing is opened;
 * whatever stands between and knows no WebSockets answers something else.
 */
const handshake = (): Record<string, string> => ({
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": randomBytes(16).toString("base64"),
});

/** @param relayHost host, with its port where that is not 443 */
export function checkRelay(relayHost: string, agent: string, network: Network): Check {
  const url = new URL(`https://${relayHost}/$hc/a-${agent}?sb-hc-action=listen`);
  const target = `${url.hostname}:${url.port || "443"}`;
  return {
    ...{ id: "relay", component: "relay", target },
    look: (signal) => ask(url, network, signal, "control channel"),
  };
}

/**
 * @param gateways the hosts that are named in agent.yaml, and the one that the last session came by
 * @param namespace the relay's host name; gateways lie beside it
 */
export function checkRendezvous(gateways: readonly string[], namespace: string, network: Network): readonly Check[] {
  const beside = `*.${parentDomain(namespace) ?? namespace}:443`;
  const id = "rendezvous";
  if (gateways.length === 0) return [{ id, component: id, target: beside, look: async () => notYetSeen(beside) }];
  return gateways.map((gateway) => {
    // No address is ever without its own number, so no session can be meant.
    const url = new URL(`https://${gateway}/$hc/doctor?sb-hc-action=accept`);
    const target = `${url.hostname}:${url.port || "443"}`;
    return { id, component: id, target, look: (signal) => ask(url, network, signal, "rendezvous") };
  });
}

const notYetSeen = (beside: string): Verdict => ({
  status: "warn",
  details: "no session has come since the start, so its gateway is not known",
  advice: `Let the firewall pass ${beside}, and look again after the first session.`,
});

async function ask(url: URL, network: Network, signal: AbortSignal, what: string): Promise<Verdict> {
  let seen: Seen;
  try {
    seen = await probe(url, network, handshake(), signal);
  } catch (thrown) {
    return unreached(
      thrown,
      `Does the firewall let this machine through to ${url.hostname}? \`sallyport firewall\` prints what to ask for.`,
    );
  }
  return untrusted(seen) ?? judged(seen, what);
}

/** What the relay says to somebody without a token or a number; its own refusals of other kinds carry a tracking id. */
const REFUSALS = [401, 404];

function judged({ status, reason, ms }: Seen, what: string): Verdict {
  const isRelay = REFUSALS.includes(status) || trackingIdOf(reason).trackingId !== undefined;
  if (isRelay && status < 500) return { status: "ok", details: `${what}, ${ms} ms` };
  const advice =
    status >= 500
      ? "The relay or a proxy in between has a fault: look again, and tell the platform team if it stays."
      : "Something in between answers for the relay: let WebSockets to it pass, without inspection.";
  return { status: "FAIL", details: `answered ${status} to a WebSocket`, advice };
}
