import { app } from "@azure/functions";
import { sendCanaries } from "../agents/canary.ts";
import { orchestrator, stopping } from "../compose.ts";

// Half a minute from the schedule's own tick, so that the two do not want the processor together.
app.timer("canary", {
  schedule: "30 * * * * *",
  handler: async () => {
    await sendCanaries((await orchestrator()).canaries, stopping);
  },
});
