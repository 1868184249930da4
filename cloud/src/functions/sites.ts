import { app } from "@azure/functions";
import { newCode, newSite } from "@sallyport/shared/schema/api.ts";
import { authorize } from "../access/api-keys.ts";
import { guarded } from "../access/guard.ts";
import { createCode } from "../agents/enrolment.ts";
import { keys, orchestrator } from "../compose.ts";
import { addSite, listSites } from "../tenants/tenants.ts";

app.http("sites-add", {
  route: "v1/tenants/{tenant}/sites",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "sites:write", async (call) =>
    addSite(await orchestrator(), call.tenant, await call.body(newSite)),
  ),
});

app.http("sites-list", {
  route: "v1/tenants/{tenant}/sites",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "sites:read", async (call) => listSites(await orchestrator(), call.tenant)),
});

app.http("codes-add", {
  route: "v1/tenants/{tenant}/sites/{site}/codes",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "sites:write", async (call) => {
    const { enrolment } = await orchestrator();
    const { autoApprove } = await call.body(newCode);
    // Such a code approves an agent: from then on it is sent the site's credentials.
    if (autoApprove) authorize(call.principal, "agents:approve", call.tenant);
    return createCode(enrolment, call.tenant, call.param("site"), autoApprove, call.principal.id);
  }),
});
