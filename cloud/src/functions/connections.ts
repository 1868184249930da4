import { app } from "@azure/functions";
import { newConnection, newCredential } from "@sallyport/shared/schema/api.ts";
import { guarded } from "../access/guard.ts";
import { keys, orchestrator } from "../compose.ts";
import { addConnection, listConnections, storeCredential } from "../tenants/connections.ts";

app.http("connections-add", {
  route: "v1/tenants/{tenant}/connections",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "connections:write", async (call) =>
    addConnection(await orchestrator(), call.tenant, await call.body(newConnection)),
  ),
});

app.http("connections-list", {
  route: "v1/tenants/{tenant}/connections",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "connections:write", async (call) => listConnections(await orchestrator(), call.tenant)),
});

app.http("credentials-put", {
  route: "v1/tenants/{tenant}/connections/{connection}/credential",
  methods: ["PUT"],
  authLevel: "anonymous",
  handler: guarded(keys, "credentials:write", async (call) =>
    storeCredential(await orchestrator(), call.tenant, call.param("connection"), await call.body(newCredential)),
  ),
});
