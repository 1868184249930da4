/** What the benchmark says to the orchestrator's process, and what that answers: one JSON line each. */
import { z } from "zod";

export const setUp = z.strictObject({
  relayHost: z.string(),
  sendKey: z.string(),
  signing: z.looseObject({
    kid: z.string(),
    publicJwk: z.record(z.string(), z.unknown()),
    privateJwk: z.record(z.string(), z.unknown()),
  }),
  agent: z.strictObject({
    id: z.string(),
    path: z.string(),
    identity: z.record(z.string(), z.unknown()),
    kid: z.string(),
  }),
  credential: z.strictObject({ user: z.string(), password: z.string() }),
});
export type SetUp = z.infer<typeof setUp>;

/** Sessions of one row, so many of them at a time. */
export const order = z.strictObject({ sessions: z.int().min(1), atOnce: z.int().min(1), relayHost: z.string() });
export type Order = z.infer<typeof order>;

export const answer = z.strictObject({
  milliseconds: z.array(z.number()),
  seconds: z.number(),
  cpuSeconds: z.number(),
});
export type Answer = z.infer<typeof answer>;
