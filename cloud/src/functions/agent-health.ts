import { answerHealth, authenticateAgent } from "../agents/tokens.ts";
import { orchestrator } from "../compose.ts";
import { serveOpen } from "../serve.ts";

serveOpen("agent-health", async (request) => {
  const { tokens } = await orchestrator();
  const authorization = request.headers.get("authorization");
  const body = Buffer.alloc(0);
  const signed = { authorization, method: "GET", path: "/api/agent/health", body };
  return answerHealth(await authenticateAgent(tokens, signed), tokens.now());
});
