import { app } from "@azure/functions";
import { randomId } from "@sallyport/shared/schema/ids.ts";
import { guarded } from "../access/guard.ts";
import { approveAgent, listAgentKeys, listAgents, revokeAgent } from "../agents/registry.ts";
import { keys, orchestrator } from "../compose.ts";

app.http("agents-list", {
  route: "v1/tenants/{tenant}/sites/{site}/agents",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "sites:read", async (call) =>
    listAgents(await orchestrator(), call.tenant, call.param("site")),
  ),
});

app.http("agents-keys", {
  route: "v1/tenants/{tenant}/sites/{site}/agent-keys",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "sites:read", async (call) =>
    listAgentKeys(await orchestrator(), call.tenant, call.param("site")),
  ),
});

app.http("agents-approve", {
  route: "v1/tenants/{tenant}/sites/{site}/agents/{agent}/approve",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "agents:approve", async (call) =>
    approveAgent(await orchestrator(), call.tenant, call.param("site"), call.param("agent", randomId)),
  ),
});

app.http("agents-revoke", {
  route: "v1/tenants/{tenant}/sites/{site}/agents/{agent}/revoke",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "agents:approve", async (call) =>
    revokeAgent(await orchestrator(), call.tenant, call.param("site"), call.param("agent", randomId)),
  ),
});
