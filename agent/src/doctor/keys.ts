/** The agent's long-lived keys: there, and not older than they should be. */
import { existsSync } from "node:fs";
import { loadIdentity, rotatesAtMs } from "../keys.ts";
import type { StatePaths } from "../state.ts";
import type { Check } from "./check.ts";

const DAY_MS = 86_400_000;

/** Whole days since the identity was made. @throws ConfigError where there is none */
export async function identityDays(paths: StatePaths, nowMs: number): Promise<number> {
  const { createdMs } = await loadIdentity(paths);
  return Math.max(0, Math.floor((nowMs - createdMs) / DAY_MS));
}

/** Whole days of age at which it goes over to a new one by itself. */
export const rotatesAtDays = (lifeDays: number): number => Math.floor(rotatesAtMs(lifeDays) / DAY_MS);

/** @param lifeDays of an identity, by agent.yaml */
export function checkKeys(paths: StatePaths, lifeDays: number, nowMs: number): Check {
  return {
    ...{ id: "keys", component: "keys", target: "keys/" },
    async look() {
      const missing = [paths.identity, paths.unseal].filter((file) => !existsSync(file));
      if (missing.length > 0) {
        const advice = "Enrol again: policy and journal stay.";
        return { status: "FAIL", details: `missing: ${missing.join(", ")}`, advice };
      }
      const days = await identityDays(paths, nowMs);
      const left = rotatesAtDays(lifeDays) - days;
      if (left > 0) return { status: "ok", details: `identity ${days} d old, rotates in ${left} d` };
      const details = `identity ${days} d old, to be rotated`;
      if (days <= lifeDays) return { status: "ok", details };
      return {
        status: "warn",
        details,
        advice: "It rotates by itself once the agent reaches its orchestrator: see what `token` says above.",
      };
    },
  };
}
