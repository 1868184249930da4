import { orchestrator } from "../compose.ts";
import { serveOpen } from "../serve.ts";

serveOpen("health", async () => {
  await orchestrator();
  return { status: "ok" };
});
