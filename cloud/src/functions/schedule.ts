import { app } from "@azure/functions";
import { sendCanaries } from "../agents/canary.ts";
import { orchestrator, stopping, sweep } from "../compose.ts";
import { watchAgents } from "../events/agents.ts";
import { sweepLanes } from "../events/sweep.ts";
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
  const deps = await orchestrator();
  const { pulls, canaries, events } = deps;
  const report = await tick(pulls, Date.now());
  const reindexed = await reindex(pulls);
  const sent = await sendCanaries(canaries, stopping);
  const watched = await watchAgents(events.watch);
  const deliveries = await sweepLanes(events.deliver);
  return { ...report, reindexed, canaries: sent, watched, deliveries, swept: await sweep(deps) };
});
