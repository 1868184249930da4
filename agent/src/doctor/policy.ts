/** The owner's policy: valid, in force in the running agent, and saying what its owner may have forgotten. */
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { docsPage } from "../docs-page.ts";
import { digestPolicy } from "../policy/file.ts";
import { endingGrants, summaryOf } from "../policy/summary.ts";
import type { AgentStatus } from "../supervisor/status.ts";
import type { Check, Verdict } from "./check.ts";

const ENDS_SOON_DAYS = 7;

/** @param read the file's text and what it says; throws what is wrong with it */
export function checkPolicy(
  read: () => { readonly text: string; readonly policy: Policy },
  running: AgentStatus | undefined,
  now: Date,
): Check {
  return {
    ...{ id: "policy", component: "policy", target: "policy.yaml" },
    async look() {
      let file: ReturnType<typeof read>;
      try {
        file = read();
      } catch (thrown) {
        const details = (thrown as Error).message.split("\n").slice(0, 2).join(" ");
        return { status: "FAIL", details, advice: "`sallyport policy check` shows every mistake with its line." };
      }
      return notInForce(file.text, running) ?? judged(file.policy, now);
    },
  };
}

function notInForce(text: string, running: AgentStatus | undefined): Verdict | undefined {
  if (running === undefined || running.policy.digest === digestPolicy(text)) return undefined;
  return {
    status: "FAIL",
    details: `the running agent has another one in force, sha256:${running.policy.digest.slice(0, 12)}…`,
    advice:
      "It reads the file anew within seconds: look again. If it stays, its account may not read the file, or could have written it, and then does not believe it: `sallyport status` says which.",
  };
}

function judged(owners: Policy, now: Date): Verdict {
  const details = summaryOf(owners, now);
  const connections = Object.entries(owners.connections);
  const advice = [
    ...(connections.length === 0
      ? [`It denies everything: ${docsPage("policy.md")} shows how to allow something.`]
      : []),
    ...endingGrants(owners, now, ENDS_SOON_DAYS).map(
      ({ rule, days }) =>
        `The grant ${rule} ends in ${days} ${days === 1 ? "day" : "days"}: extend its \`until\`, or let it end.`,
    ),
    ...connections.flatMap(([name, { rules }]) =>
      rules.some((rule) => "allow" in rule && (rule.allow as readonly string[]).includes("raw"))
        ? [`${name} allows raw SQL: there the rights of its logins are the only wall.`]
        : [],
    ),
  ];
  return advice.length === 0 ? { status: "ok", details } : { status: "warn", details, advice: advice.join(" ") };
}
