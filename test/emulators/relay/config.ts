import { z } from "zod";
import type { RelayOptions } from "./options.ts";
import { makeTokenChecks, tokenIssuer } from "./token-checks.ts";

/** The relay's options as JSON, for a relay in a process of its own: functions become a token issuer's key and assignments. */

const rule = z.strictObject({
  name: z.string().min(1),
  primaryKey: z.string().min(1),
  secondaryKey: z.string().min(1).optional(),
  rights: z.array(z.enum(["Listen", "Send", "Manage"])).min(1),
});
const entity = z.strictObject({
  path: z.string().min(1),
  rules: z.array(rule).max(12).optional(),
  requiresClientAuthorization: z.boolean().optional(),
  userMetadata: z.string().optional(),
});
const port = z.number().int().min(0).max(65_535).optional();
const durationMs = z.number().positive().optional();

const config = z.strictObject({
  tls: z.strictObject({ key: z.string(), cert: z.string() }),
  namespace: z.string().optional(),
  rendezvousHost: z.string().optional(),
  namespaceRules: z.array(rule).max(12).default([]),
  entities: z.array(entity).default([]),
  controlPort: port,
  rendezvousPort: port,
  timings: z
    .strictObject({
      acceptMs: durationMs,
      requestMs: durationMs,
      tokenCheckMs: durationMs,
      idleMs: durationMs,
      recycleMs: durationMs,
      drainMs: durationMs,
    })
    .optional(),
  highWaterBytes: z.number().int().positive().optional(),
  maxMessageBytes: z.number().int().positive().optional(),
  closeCodes: z.enum(["documented", "relayed"]).optional(),
  tokens: tokenIssuer.optional(),
});

export type RelayConfig = z.input<typeof config>;

/** Reads a configuration. Throws with a line for each thing that is wrong. */
export async function readConfig(text: string): Promise<RelayOptions> {
  const parsed = config.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`The relay's configuration is not valid:\n${z.prettifyError(parsed.error)}`);
  const { tokens, timings = {}, ...options } = parsed.data;
  const given = Object.entries(timings).filter(([, ms]) => ms !== undefined);
  const checks = tokens ? await makeTokenChecks(tokens) : {};
  return { ...options, ...checks, timings: Object.fromEntries(given) };
}
