import { app } from "@azure/functions";
import { newTenant } from "@sallyport/shared/schema/api.ts";
import { guarded } from "../access/guard.ts";
import { keys, orchestrator } from "../compose.ts";
import { addTenant, listTenants } from "../tenants/tenants.ts";

app.http("tenants-add", {
  route: "v1/tenants",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "tenants:write", async (call) => addTenant(await orchestrator(), await call.body(newTenant))),
});

app.http("tenants-list", {
  route: "v1/tenants",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "tenants:write", async () => listTenants(await orchestrator())),
});
