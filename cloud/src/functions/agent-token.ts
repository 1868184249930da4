import { app } from "@azure/functions";
import { open, readBytes } from "../access/guard.ts";
import { authenticateAgent, issueToken } from "../agents/tokens.ts";
import { orchestrator } from "../compose.ts";

app.http("agent-token", {
  route: "agent/token",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: open(async (request) => {
    const { tokens } = await orchestrator();
    const body = await readBytes(request);
    const authorization = request.headers.get("authorization");
    const agent = await authenticateAgent(tokens, { authorization, method: "POST", path: "/api/agent/token", body });
    return issueToken(tokens, agent, body);
  }),
});
