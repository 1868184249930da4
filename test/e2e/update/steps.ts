/** Where an updater is killed: each step that it says it has reached, in their order. */
import type { Step } from "@sallyport/agent/src/update/updater.ts";

export const STEPS: readonly Step[] = [
  "begun",
  "verified",
  "unpacked",
  "switching",
  "stopped",
  "repointed",
  "started",
  "healthy",
  "ended",
];
