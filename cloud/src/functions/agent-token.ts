import { readBytes } from "../access/body.ts";
import { authenticateAgent, issueToken } from "../agents/tokens.ts";
import { orchestrator } from "../compose.ts";
import { serveOpen } from "../serve.ts";

serveOpen("agent-token", async (request) => {
  const { tokens } = await orchestrator();
  const body = await readBytes(request);
  const authorization = request.headers.get("authorization");
  const agent = await authenticateAgent(tokens, { authorization, method: "POST", path: "/api/agent/token", body });
  return issueToken(tokens, agent, body);
});
