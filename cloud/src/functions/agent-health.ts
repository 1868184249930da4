import { app } from "@azure/functions";
import { open } from "../access/guard.ts";
import { answerHealth, authenticateAgent } from "../agents/tokens.ts";
import { orchestrator } from "../compose.ts";

app.http("agent-health", {
  route: "agent/health",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: open(async (request) => {
    const { tokens } = await orchestrator();
    const authorization = request.headers.get("authorization");
    const body = Buffer.alloc(0);
    const signed = { authorization, method: "GET", path: "/api/agent/health", body };
    return answerHealth(await authenticateAgent(tokens, signed), tokens.now());
  }),
});
