/** The orchestrator as this machine sees it: whether it answers, by whose certificate, and what time it has. */
import type { Network } from "../origin.ts";
import { type Check, EXPIRES_SOON_DAYS, type Verdict } from "./check.ts";
import { probe, type Seen, unreached, untrusted } from "./probe.ts";

/** The orchestrator takes signatures that are off by less (docs/protocol.md, "Listen token"). */
const SKEW_AT_MOST_MS = 300_000;
const SKEW_NOTED_MS = 30_000;
/** It is the only route that everybody may ask. */
const HEALTH_PATH = "/api/health";

/** Three looks at one answer. */
export function checkOrchestrator(origin: string, network: Network): readonly Check[] {
  const url = new URL(HEALTH_PATH, origin);
  const target = `${url.hostname}:${url.port || "443"}`;
  let asked: Promise<Seen> | undefined;
  const check = (id: "orchestrator" | "clock" | "tls", judge: (seen: Seen) => Verdict): Check => ({
    ...{ id, component: id, target },
    async look(signal) {
      asked ??= probe(url, network, {}, signal);
      try {
        return judge(await asked);
      } catch (thrown) {
        if (id !== "orchestrator") return unknown;
        return unreached(
          thrown,
          "Does the firewall let this machine through to it? `sallyport firewall` prints what to ask for.",
        );
      }
    },
  });
  return [check("orchestrator", answers), check("clock", clock), check("tls", certificate)];
}

const unknown: Verdict = {
  status: "warn",
  details: "not known: the orchestrator does not answer",
  advice: "Mend the way to the orchestrator first.",
};

function answers(seen: Seen): Verdict {
  const distrusted = untrusted(seen);
  if (distrusted !== undefined) return distrusted;
  if (seen.status === 200)
    return { status: "ok", details: `${seen.ms} ms, ${seen.tls.protocol.replace("TLSv", "TLS ")}` };
  const advice =
    seen.status >= 500
      ? "The platform team's function app has a fault: tell them, with the time."
      : "Is `origin` in agent.yaml right? Something else than an orchestrator answers there, a filter perhaps.";
  return { status: "FAIL", details: `answered ${seen.status}`, advice };
}

function clock({ theirMs, ourMs, ms }: Seen): Verdict {
  if (theirMs === undefined) {
    return { status: "warn", details: "the answer says no time", advice: "Compare this machine's clock by hand." };
  }
  // Their second has begun up to a second ago.
  const offMs = theirMs + 500 - ourMs;
  // Nor is it known when on its way the answer was given its time.
  const agrees = Math.abs(offMs) <= 1_000 + ms;
  const seconds = agrees ? "agrees" : `${(offMs / 1000).toFixed(0)} s off`;
  if (Math.abs(offMs) <= SKEW_NOTED_MS) return { status: "ok", details: seconds };
  const advice =
    "Set this machine's clock, and keep it by NTP: `until` and `hours` of the policy go by it, and so do certificates.";
  return { status: Math.abs(offMs) > SKEW_AT_MOST_MS ? "FAIL" : "warn", details: seconds, advice };
}

function certificate(seen: Seen): Verdict {
  const distrusted = untrusted(seen);
  if (distrusted !== undefined) return distrusted;
  const { issuer, endsMs, publicRoot } = seen.tls;
  const days = Math.floor((endsMs - seen.ourMs) / 86_400_000);
  const details = `issued by "${issuer}"${publicRoot ? "" : ", trusted by this machine's own list"}, ends in ${days} days`;
  if (days > EXPIRES_SOON_DAYS) return { status: "ok", details };
  return { status: "warn", details, advice: "Tell the platform team, or whoever opens TLS here, to renew it." };
}
