import { app } from "@azure/functions";
import { sendCanaries } from "../agents/canary.ts";
import { orchestrator, stopping, sweep } from "../compose.ts";
import { watchAgents } from "../events/agents.ts";
import { sweepLanes } from "../events/sweep.ts";
import { reindex } from "../pulls/reindex.ts";
import { tick } from "../pulls/tick.ts";
import { tryToRing } from "../requests/forgotten.ts";
import { serve } from "../serve.ts";

/** What an HTTP answer may wait for a sweep: it is cut off after 230 seconds. */
const MOST_SWEEP_MS = 60_000;

app.timer("schedule", {
  schedule: "0 * * * * *",
  handler: async () => {
    const { pulls, requests } = await orchestrator();
    try {
      await tick(pulls, Date.now());
      await reindex(pulls);
    } finally {
      await tryToRing(requests);
    }
  },
});

// The same by HTTP: timers have been seen to stop after a deployment, and catching up is idempotent.
serve("schedule-tick", async () => {
  const deps = await orchestrator();
  const { pulls, canaries, events, requests } = deps;
  // First: whatever becomes of the others.
  const rung = await tryToRing(requests);
  const report = await tick(pulls, Date.now());
  const reindexed = await reindex(pulls);
  const sent = await sendCanaries(canaries, stopping);
  const watched = await watchAgents(events.watch);
  const deliveries = await sweepLanes(events.deliver);
  return { ...report, rung, reindexed, canaries: sent, watched, deliveries, swept: await sweep(deps, MOST_SWEEP_MS) };
});
