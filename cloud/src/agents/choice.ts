/** Which agent of a site is dialled first: the healthiest, of those the least loaded. Pure, but for the count of sessions. */
import type { Agent } from "../store/agents.ts";
import type { Stored } from "../store/record.ts";

/** An agent that asked for no token for this long has lost its listener: its tokens live half an hour. */
const TOKEN_SILENCE_MS = 35 * 60_000;
/** Sessions that an agent serves at once while it has not said how many. */
const ASSUMED_SESSIONS = 4;

/** How likely an agent serves now, best first. All are tried: these are hints, and an agent's own word is the authority. */
export type Health = "serves" | "unreached" | "closed" | "silent";
const ORDER: readonly Health[] = ["serves", "unreached", "closed", "silent"];

type Announced = Pick<Agent, "seenAt" | "reachedAt" | "canary" | "canaryCode" | "locked" | "draining">;

/** By the last token request, the last canary or session, and what the agent said of itself. */
export function healthOf(agent: Announced, nowMs: number): Health {
  const seenMs = Math.max(timeOf(agent.seenAt), timeOf(agent.reachedAt));
  if (nowMs - seenMs > TOKEN_SILENCE_MS) return "silent";
  if (agent.locked || agent.draining) return "closed";
  const failed = agent.canaryCode !== null && timeOf(agent.canary?.sentAt ?? null) > timeOf(agent.reachedAt);
  return failed ? "unreached" : "serves";
}

const timeOf = (iso: string | null): number => (iso === null ? Number.NEGATIVE_INFINITY : Date.parse(iso));

/** `sessions`: how many this process has open with an agent; `tie`: drawn for each, so that equals share the work. */
export function inOrder(
  agents: readonly Stored<Agent>[],
  nowMs: number,
  sessions: (agent: string) => number,
  tie: () => number,
): Stored<Agent>[] {
  return agents
    .map((agent) => ({
      agent,
      health: ORDER.indexOf(healthOf(agent.value, nowMs)),
      load: sessions(agent.row.row) / (agent.value.maxSessions ?? ASSUMED_SESSIONS),
      tie: tie(),
    }))
    .sort((a, b) => a.health - b.health || a.load - b.load || a.tie - b.tie)
    .map(({ agent }) => agent);
}

/**
 * Sessions that this process has open, by agent. Other processes have theirs: what nobody sees together, an agent that is
 * full answers with `agent.busy`, and the next one is tried.
 */
export interface Load {
  of(agent: string): number;
  /** Counts one until the answer is called. */
  began(agent: string): () => void;
}

export function createLoad(): Load {
  const open = new Map<string, number>();
  const add = (agent: string, more: number): void => {
    const sessions = (open.get(agent) ?? 0) + more;
    if (sessions > 0) open.set(agent, sessions);
    else open.delete(agent);
  };
  return {
    of: (agent) => open.get(agent) ?? 0,
    began(agent) {
      add(agent, 1);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        add(agent, -1);
      };
    },
  };
}
