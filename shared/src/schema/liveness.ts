/** How both sides know that an agent still receives: what it announces, and what the orchestrator says that it sent. */
import { z } from "zod";
import { randomId, sha256Text } from "./ids.ts";

/** An agent's state, as it answers `agent.ping` with it: sealed, so that nobody on the way can invent it. */
export const agentState = z.object({
  version: z.string().max(64),
  policy: sha256Text,
  /** Sessions that it serves at once. */
  maxSessions: z.int().min(1).max(1000),
  /** Sessions that it serves now, this ping not counted. */
  running: z.int().min(0).max(1000),
  locked: z.boolean(),
  draining: z.boolean(),
});
export type AgentState = z.infer<typeof agentState>;

/** A canary: its request's id, and when the orchestrator began to dial, by the orchestrator's clock. */
export const sentCanary = z.object({ id: randomId, sentAt: z.iso.datetime() });
export type SentCanary = z.infer<typeof sentCanary>;

/** Answer of `GET /api/agent/health`: the newest canary sent to the agent that asks, and the time by the same clock. */
export const agentHealth = z.object({ serverTime: z.iso.datetime(), canary: sentCanary.nullable() });
export type AgentHealth = z.infer<typeof agentHealth>;
