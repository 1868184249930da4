import { app } from "@azure/functions";
import { sendCanaries } from "../agents/canary.ts";
import { orchestrator, stopping } from "../compose.ts";
import { reindex } from "../pulls/reindex.ts";
import { tick } from "../pulls/tick.ts";
import { serve } from "../serve.ts";

app.timer("schedule", {
  schedule: "0 * * * * *",
  handler: async () => {
    const { pulls } = await orchestrator();
    await tick(pulls, Date.now());
    await reindex(pulls);
  },
});

// The same by HTTP: timers have been seen to stop after a deployment, and catching up is idempotent.
serve("schedule-tick", async () => {
  const { pulls, canaries } = await orchestrator();
  const report = await tick(pulls, Date.now());
  return { ...report, reindexed: await reindex(pulls), canaries: await sendCanaries(canaries, stopping) };
});
