import { app } from "@azure/functions";
import { orchestrator, sweep } from "../compose.ts";

/** A third of what a function may take. */
const MOST_MS = 5 * 60_000;

// Each hour, and not with the schedule's own tick.
app.timer("sweep", {
  schedule: "45 11 * * * *",
  handler: async () => {
    await sweep(await orchestrator(), MOST_MS);
  },
});
