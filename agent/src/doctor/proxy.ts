/** The proxy of agent.yaml: whether it opens a tunnel to the origin. Its password is neither shown nor sent elsewhere. */
import { performance } from "node:perf_hooks";
import { networkFault } from "../network-fault.ts";
import type { Network } from "../origin.ts";
import type { Check, Verdict } from "./check.ts";
import { probe } from "./probe.ts";

/** @param unused variables of the environment that name a proxy, and that the agent does not look at */
export function checkProxy(origin: string, network: Network, unused: readonly string[]): Check {
  const { proxy } = network;
  const base = { id: "proxy", component: "proxy" } as const;
  if (proxy === undefined) return { ...base, target: "-", look: async () => none(unused) };
  const { hostname, port } = new URL(proxy);
  return { ...base, target: `${hostname}:${port || "80"}`, look: (signal) => tunnel(origin, network, signal) };
}

function none(unused: readonly string[]): Verdict {
  const more = unused.length === 0 ? "" : `; ${unused.join(", ")} is set here and not looked at`;
  return { status: "ok", details: `none configured${more}` };
}

async function tunnel(origin: string, network: Network, signal: AbortSignal): Promise<Verdict> {
  const began = performance.now();
  try {
    await probe(new URL("/", origin), network, {}, signal);
    return { status: "ok", details: `opens a tunnel, ${Math.round(performance.now() - began)} ms with its answer` };
  } catch (thrown) {
    const { code, why } = networkFault(thrown);
    if (code === "network.proxy_login") {
      return {
        status: "FAIL",
        details: why,
        advice: "Write the user and password into `proxy` of agent.yaml, and start the agent again.",
      };
    }
    const advice =
      "Is `proxy` in agent.yaml right, does it run, and does it allow CONNECT to the origin and the relay? `sallyport firewall` lists them.";
    return { status: "FAIL", details: why, advice };
  }
}
