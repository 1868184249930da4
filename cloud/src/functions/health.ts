import { reply } from "../access/answer.ts";
import { replied } from "../access/guard.ts";
import { orchestrator } from "../compose.ts";
import { serve, serveOpen } from "../serve.ts";

serveOpen("health", async () => {
  const view = await (await orchestrator()).health.view();
  return replied(reply(view, { status: view.status === "failing" ? 503 : 200 }));
});

serve("health-details", async () => (await orchestrator()).health.details());
