import { app } from "@azure/functions";
import { open } from "../access/guard.ts";
import { orchestrator } from "../compose.ts";

app.http("health", {
  route: "health",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: open(async () => {
    await orchestrator();
    return { status: "ok" };
  }),
});
