/**
 * The canary: the orchestrator pings every approved agent from end to end, so that one that looks connected and receives
 * nothing is noticed on both sides. One that served a session since, or has just enrolled, needs none: a listener costs
 * money, and so does a sender. Storage operations: one for each thousand rows of table `agents` (three an agent) a tick,
 * and two for each canary.
 */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Hello } from "@sallyport/shared/protocol/hello.ts";
import type { Ping } from "../sessions/ping.ts";
import type { Agent } from "../store/agents.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { candidateOf } from "./agent-store.ts";
import { type Health, healthOf } from "./choice.ts";
import { isOnTrial } from "./trial.ts";

export interface CanaryDeps {
  readonly store: Pick<Store, "agents">;
  readonly ping: Ping;
  /** How long an agent may go unproven. */
  readonly canarySeconds: number;
  now(): Date;
  random(bytes: number): Buffer;
  readonly telemetry: Telemetry;
  log(what: string, facts: Readonly<Record<string, unknown>>): void;
}

export interface CanaryReport {
  readonly agents: number;
  readonly sent: number;
  readonly answered: number;
}

/** Canaries under way at a time: an agent that hangs holds one of them for a minute at most. */
const AT_ONCE = 8;
/** The timer's period; what one tick does not get to, the next one does. */
const TICK_SECONDS = 60;
const FEWEST = 16;

/**
 * Pings the agents that are due, the longest unproven first, and no more than their share of a period: so that a thousand
 * that came back together are dialled over five minutes, now and ever after.
 */
export async function sendCanaries(deps: CanaryDeps, signal: AbortSignal): Promise<CanaryReport> {
  const agents = await deps.store.agents.active();
  measureAgents(deps, agents);
  const due = chooseDue(agents, deps.canarySeconds, deps.now().getTime());
  let sent = 0;
  let answered = 0;
  const next = due.values();
  const worker = async (): Promise<void> => {
    for (const agent of next) {
      if (signal.aborted) return;
      const code = await sendOne(deps, agent, signal);
      if (code !== "changed") sent += 1;
      if (code === null) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { agents: agents.length, sent, answered };
}

function measureAgents({ telemetry, now }: CanaryDeps, agents: readonly Stored<Agent>[]): void {
  const nowMs = now().getTime();
  const counts: Record<Health, number> = { serves: 0, unreached: 0, closed: 0, silent: 0 };
  for (const { value } of agents) counts[healthOf(value, nowMs)] += 1;
  for (const [health, count] of Object.entries(counts))
    telemetry.measure("sallyport.agents", count, { "sallyport.health": health });
  // A thousand arguments to Math.min are fine, a million are not.
  const oldestMs = agents.reduce((oldest, { value }) => Math.min(oldest, lastProofMs(value)), nowMs);
  telemetry.measure("sallyport.canary.age", (nowMs - oldestMs) / 1000);
}

/** Those whose last proof, or canary, is as old as the period; the oldest first, a tick's share of them. */
export function chooseDue(agents: readonly Stored<Agent>[], canarySeconds: number, nowMs: number): Stored<Agent>[] {
  const share = Math.max(FEWEST, Math.ceil((agents.length * TICK_SECONDS * 1.25) / canarySeconds));
  return agents
    .map((agent) => ({
      agent,
      lastMs: isOnTrial(agent.value, nowMs) ? Number.NEGATIVE_INFINITY : lastProofMs(agent.value),
    }))
    .filter(({ lastMs }) => nowMs - lastMs >= canarySeconds * 1000)
    .sort((a, b) => a.lastMs - b.lastMs)
    .slice(0, share)
    .map(({ agent }) => agent);
}

/** Enrolling is a proof, too: it has just come out of its way. */
const lastProofMs = ({ enrolledAt, reachedAt, canary }: Agent): number =>
  Math.max(...[enrolledAt, reachedAt, canary?.sentAt].map((at) => (at ? Date.parse(at) : Number.NEGATIVE_INFINITY)));

/** Null when it was answered; `changed` when somebody else was at the record, and nothing was sent. */
async function sendOne(
  deps: CanaryDeps,
  agent: Stored<Agent>,
  signal: AbortSignal,
): Promise<ErrorCode | "changed" | null> {
  const { agents } = deps.store;
  const id = deps.random(16).toString("hex");
  const { tenant, site } = agent.value;
  // Before it is dialled: an agent that hears nothing asks what was sent.
  const canary = { id, sentAt: deps.now().toISOString() };
  const noted = await agents.update(agent, { ...agent.value, canary, canaryCode: null });
  if (noted === undefined) return "changed";
  const outcome = await deps
    .ping({ ...candidateOf(noted, deps.now()), tenant, site }, id, signal)
    .catch((thrown: unknown) => ({
      ...{ ok: false as const, code: "api.internal" as const },
      // Not the error itself: what it holds is anything, and may not even be JSON.
      error: thrown instanceof Error ? thrown.name : typeof thrown,
    }));
  if (!outcome.ok) deps.log("canary not answered", { agent: agent.row.row, ...outcome, ok: undefined });
  const code = outcome.ok ? null : outcome.code;
  const at = deps.now().toISOString();
  const found = outcome.ok ? { ...announced(outcome.state), reachedAt: at, canaryAt: at } : {};
  await change(agents, noted, (value) => (value.canary?.id === id ? { ...found, canaryCode: code } : {}));
  return code;
}

/** What a session shows of its agent. Written at most twice in a canary's period: a busy agent must not cost a write each. */
export async function noteReached(
  deps: Pick<CanaryDeps, "store" | "canarySeconds" | "now">,
  at: { readonly tenant: string; readonly site: string; readonly agent: string },
  hello: Pick<Hello, "version" | "policy" | "maxSessions">,
): Promise<void> {
  const { agents } = deps.store;
  const stored = await agents.get(at.tenant, at.site, at.agent);
  if (stored === undefined) return;
  const { reachedAt, maxSessions, policy } = stored.value;
  const isRecent = reachedAt !== null && deps.now().getTime() - Date.parse(reachedAt) < (deps.canarySeconds * 1000) / 2;
  if (isRecent && maxSessions === hello.maxSessions && policy === hello.policy) return;
  await change(agents, stored, () => ({ ...announced(hello), reachedAt: deps.now().toISOString() }));
}

const announced = <T extends Pick<Agent, "version"> & { readonly policy: string; readonly maxSessions: number }>(
  said: T & Partial<Pick<Agent, "locked" | "draining">>,
): Partial<Agent> => ({
  version: said.version,
  policy: said.policy,
  maxSessions: said.maxSessions,
  ...(said.locked === undefined ? {} : { locked: said.locked }),
  ...(said.draining === undefined ? {} : { draining: said.draining }),
});

/** Once more on the newest record when somebody else was there first; what then loses again is told by the next canary. */
async function change(
  agents: Store["agents"],
  stored: Stored<Agent>,
  part: (value: Agent) => Partial<Agent>,
): Promise<void> {
  if ((await agents.update(stored, { ...stored.value, ...part(stored.value) })) !== undefined) return;
  const now = await agents.get(stored.value.tenant, stored.value.site, stored.row.row);
  if (now !== undefined) await agents.update(now, { ...now.value, ...part(now.value) });
}
