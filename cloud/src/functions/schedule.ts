import { app } from "@azure/functions";
import { guarded } from "../access/guard.ts";
import { keys, orchestrator } from "../compose.ts";
import { tick } from "../pulls/tick.ts";

app.timer("schedule", {
  schedule: "0 * * * * *",
  handler: async () => {
    await tick((await orchestrator()).pulls, Date.now());
  },
});

// The same by HTTP: timers have been seen to stop after a deployment, and catching up is idempotent.
app.http("schedule-tick", {
  route: "v1/schedule/tick",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "schedule:tick", async () => tick((await orchestrator()).pulls, Date.now())),
});
