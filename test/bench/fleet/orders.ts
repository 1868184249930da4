/** What the benchmark says to the process of the simulated agents, and what that answers: one JSON line each. */
import { z } from "zod";

export const order = z.discriminatedUnion("do", [
  /** One agent for each code, with a folder of its own below `folder`; some at a time. */
  z.strictObject({
    do: z.literal("enrol"),
    origin: z.string(),
    caFile: z.string(),
    rendezvousHost: z.string(),
    folder: z.string(),
    codes: z.array(z.string()),
    atOnce: z.int().min(1),
  }),
  /** Get tokens and open the control channels; answered when all are online. */
  z.strictObject({ do: z.literal("listen") }),
  /** Ask for another token now; answered when every agent has one. */
  z.strictObject({ do: z.literal("renew") }),
  z.strictObject({ do: z.literal("tell") }),
]);
export type Order = z.infer<typeof order>;

export const answer = z.strictObject({
  agents: z.array(z.string()),
  online: z.int(),
  /** Agents that have answered a canary, and canaries answered in all. */
  pinged: z.int(),
  canaries: z.int(),
  requests: z.int(),
  /** Sessions that did not come to their end, by code or name of the error. */
  failed: z.record(z.string(), z.int()),
  residentBytes: z.int(),
});
export type Answer = z.infer<typeof answer>;
