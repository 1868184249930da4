/** Whether the orchestrator knows this agent: a signed question that changes nothing, and the running agent's own token. */
import { ERRORS, isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { duration } from "@sallyport/shared/terminal.ts";
import { z } from "zod";
import { askSigned, type SignedDeps } from "../supervisor/signed.ts";
import type { AgentStatus } from "../supervisor/status.ts";
import { HEALTH_PATH } from "../supervisor/tokens.ts";
import type { Check, Verdict } from "./check.ts";
import { unreached } from "./probe.ts";

const problem = z.object({ code: z.string() });

/**
 * @param load the identity's signer with what is needed to ask; it may throw, where this account may not read the key
 * @param running what the running agent says; undefined where none runs
 */
export function checkToken(agent: string, load: () => Promise<SignedDeps>, running: AgentStatus | undefined): Check {
  return {
    ...{ id: "token", component: "token", target: agent },
    async look(signal) {
      const deps = await load();
      try {
        const { answer } = await askSigned(deps, { method: "GET", path: HEALTH_PATH }, signal);
        return answer.status === 200 ? known(running) : refused(answer.status, answer.body);
      } catch (thrown) {
        return unreached(thrown, "Mend the way to the orchestrator first.");
      }
    },
  };
}

function known(running: AgentStatus | undefined): Verdict {
  if (running === undefined) return { status: "ok", details: "the orchestrator knows this agent; it does not run now" };
  const { token } = running;
  if (token.state === "valid") {
    return { status: "ok", details: `renewed ${duration(Date.now() - Date.parse(token.renewedAt))} ago` };
  }
  const advice = isErrorCode(token.why) ? ERRORS[token.why].advice : "Look at the log of the agent.";
  return { status: "FAIL", details: `the running agent has none: ${token.why}`, advice };
}

function refused(status: number, body: unknown): Verdict {
  const { code } = problem.safeParse(body).data ?? {};
  if (code === undefined || !isErrorCode(code)) {
    return {
      status: "FAIL",
      details: `answered ${status}, and not in our words`,
      advice: "Is `origin` in agent.yaml right?",
    };
  }
  return { status: code === "agent.pending" ? "warn" : "FAIL", details: code, advice: ERRORS[code].advice };
}
