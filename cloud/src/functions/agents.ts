import { randomId } from "@sallyport/shared/schema/ids.ts";
import { paged } from "../access/guard.ts";
import { approveAgent, drainAgent, listAgentKeys, listAgents, resumeAgent, revokeAgent } from "../agents/registry.ts";
import { orchestrator } from "../compose.ts";
import { serve } from "../serve.ts";

serve("agents-list", async (call) => {
  const page = await listAgents(await orchestrator(), call.tenant, call.param("site"), call.page());
  return paged(page, page.items);
});

serve("agents-keys", async (call) => listAgentKeys(await orchestrator(), call.tenant, call.param("site")));

serve("agents-approve", async (call) =>
  approveAgent(await orchestrator(), call.tenant, call.param("site"), call.param("agent", randomId)),
);

serve("agents-drain", async (call) =>
  drainAgent(await orchestrator(), call.tenant, call.param("site"), call.param("agent", randomId)),
);

serve("agents-resume", async (call) =>
  resumeAgent(await orchestrator(), call.tenant, call.param("site"), call.param("agent", randomId)),
);

serve("agents-revoke", async (call) =>
  revokeAgent(await orchestrator(), call.tenant, call.param("site"), call.param("agent", randomId)),
);
