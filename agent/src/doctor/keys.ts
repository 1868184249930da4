/** The agent's long-lived keys: there, and not older than they should be. */
import { existsSync, statSync } from "node:fs";
import type { StatePaths } from "../state.ts";
import type { Check } from "./check.ts";

/** An identity rotates at two thirds of this (docs/protocol.md, "Keys"). */
export const IDENTITY_LIFE_DAYS = 90;
export const ROTATES_AFTER_DAYS = 60;

/** Whole days since the file was written, which each rotation does anew; undefined where there is none. */
export const ageInDays = (file: string, nowMs: number): number | undefined =>
  existsSync(file) ? Math.max(0, Math.floor((nowMs - statSync(file).mtimeMs) / 86_400_000)) : undefined;

export function checkKeys(paths: StatePaths, nowMs: number): Check {
  return {
    ...{ id: "keys", component: "keys", target: "keys/" },
    async look() {
      const identity = ageInDays(paths.identity, nowMs);
      const unseal = ageInDays(paths.unseal, nowMs);
      if (identity === undefined || unseal === undefined) {
        const details = identity === undefined ? "the identity is missing" : "the unseal key is missing";
        return { status: "FAIL", details, advice: "Enrol again: policy and journal stay." };
      }
      const details = `identity ${identity} d old, unseal key ${unseal} d`;
      if (identity <= IDENTITY_LIFE_DAYS) return { status: "ok", details };
      return {
        status: "warn",
        details,
        advice:
          "An identity rotates by itself after 60 days while the agent reaches its orchestrator: `sallyport keys rotate`, or enrol again.",
      };
    },
  };
}
