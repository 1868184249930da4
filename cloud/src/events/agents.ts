/**
 * What is told of agents. Their records say how they are; what was told last stands in table `watched`, and where the two
 * differ somebody is told. So nothing is lost, whoever changed the record and whatever died then.
 */
import type { Agent } from "../store/agents.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { AgentState, Watched } from "../store/watched.ts";
import type { Emit } from "./emit.ts";
import { type AgentEvent, agentEvent } from "./event.ts";

export interface WatchDeps {
  readonly store: Pick<Store, "agents" | "watched">;
  readonly emit: Emit;
  readonly origin: string;
  /** How long an agent may go unproven before it is pinged. */
  readonly canarySeconds: number;
  now(): Date;
  readonly log: (what: string, facts: Readonly<Record<string, unknown>>) => void;
}

/** Canaries missed in a row that make an agent a silent one. */
const MISSES = 3;

export const silentAfterMs = (canarySeconds: number): number => MISSES * canarySeconds * 1000;

/** How an agent is now. `before`: what was told last. Pure. */
export function stateOf(
  agent: Agent,
  before: Pick<Watched, "state" | "at"> | undefined,
  nowMs: number,
  silentMs: number,
): AgentState {
  if (agent.status !== "active") return agent.status;
  const reachedMs = agent.reachedAt === null ? Number.NEGATIVE_INFINITY : Date.parse(agent.reachedAt);
  if (nowMs - reachedMs < silentMs) return "connected";
  // It may be the approval that it was waiting for.
  const isNew = before === undefined || before.state === "pending";
  if (isNew) return "approved";
  if (before.state === "approved" && nowMs - Date.parse(before.at) < silentMs) return "approved";
  return "silent";
}

/** Looks at all agents, and tells what is new of them. Answers how many events that were. */
export async function watchAgents(deps: WatchDeps): Promise<{ readonly agents: number; readonly told: number }> {
  const agents = await deps.store.agents.all();
  const watched = new Map((await deps.store.watched.scan("state gt ''")).map((one) => [one.row.row, one]));
  let told = 0;
  for (const agent of agents) {
    try {
      told += await watchOne(deps, agent, watched.get(agent.row.row));
    } catch (thrown) {
      // The next look finds the same difference.
      deps.log("agent's state not told", { agent: agent.row.row, error: String(thrown) });
    }
  }
  return { agents: agents.length, told };
}

async function watchOne(deps: WatchDeps, agent: Stored<Agent>, found: Stored<Watched> | undefined): Promise<number> {
  const { watched } = deps.store;
  const { tenant, site, journalAlert } = agent.value;
  const id = agent.row.row;
  const now = deps.now();
  const state = stateOf(agent.value, found?.value, now.getTime(), silentAfterMs(deps.canarySeconds));
  const journalAt = journalAlert?.at ?? null;
  let told = 0;
  let seen = found;
  if (seen === undefined || (seen.value.told && seen.value.state !== state)) {
    // Written before it is told: whoever repeats it tells the same, with this time.
    const next = { site, state, at: now.toISOString(), told: false, journalAt: found?.value.journalAt ?? null };
    seen = await write(watched, tenant, id, found, next);
    if (seen === undefined) return 0;
  }
  const event = { tenant, site, agent: id, reachedAt: agent.value.reachedAt };
  if (!seen.value.told) {
    await tell(deps, { ...event, state: seen.value.state, at: seen.value.at });
    seen = await watched.update(seen, { ...seen.value, told: true });
    told += 1;
  }
  if (seen !== undefined && journalAt !== null && journalAt !== seen.value.journalAt) {
    await tell(deps, { ...event, state: "journal-altered", at: journalAt });
    await watched.update(seen, { ...seen.value, journalAt });
    told += 1;
  }
  return told;
}

const tell = ({ emit, origin }: WatchDeps, event: AgentEvent): Promise<void> =>
  emit(event.tenant, agentEvent(origin, event));

/** Undefined when another was faster. */
async function write(
  watched: WatchDeps["store"]["watched"],
  tenant: string,
  id: string,
  found: Stored<Watched> | undefined,
  next: Watched,
): Promise<Stored<Watched> | undefined> {
  if (found !== undefined) return watched.update(found, next);
  return (await watched.insert(tenant, id, next)) ? watched.get(tenant, id) : undefined;
}
