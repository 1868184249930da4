import { app } from "@azure/functions";
import { orchestrator, sweep } from "../compose.ts";

// Each hour, and not with the schedule's own tick.
app.timer("sweep", {
  schedule: "45 11 * * * *",
  handler: async () => {
    await sweep(await orchestrator());
  },
});
