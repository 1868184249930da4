import { app } from "@azure/functions";
import { paged } from "../access/guard.ts";
import { DELIVERIES_QUEUE, orchestrator, stopping } from "../compose.ts";
import { watchAgents } from "../events/agents.ts";
import { parseLaneBell } from "../events/bus.ts";
import { deliverLane } from "../events/deliver.ts";
import { sweepLanes } from "../events/sweep.ts";
import { serve } from "../serve.ts";

serve("events-list", async (call) => {
  const page = await (await orchestrator()).store.events.page(call.tenant, call.page());
  return paged(page, page.items);
});

app.serviceBusQueue("deliveries", {
  connection: "SALLYPORT_SERVICEBUS",
  queueName: DELIVERIES_QUEUE,
  handler: async (body) => {
    await deliverLane((await orchestrator()).events.deliver, parseLaneBell(body), stopping);
  },
});

// A quarter of a minute after the schedule's own tick, which is what most events come from.
app.timer("events", {
  schedule: "15 * * * * *",
  handler: async () => {
    const { events } = await orchestrator();
    await watchAgents(events.watch);
    await sweepLanes(events.deliver);
  },
});
