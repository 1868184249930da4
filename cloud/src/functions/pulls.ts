import { app } from "@azure/functions";
import { newPull } from "@sallyport/shared/schema/api.ts";
import { guarded } from "../access/guard.ts";
import { keys, orchestrator } from "../compose.ts";
import { putPull } from "../pulls/define.ts";
import { listPulls } from "../pulls/views.ts";

app.http("pulls-add", {
  route: "v1/tenants/{tenant}/pulls",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "pulls:write", async (call) => {
    const { pulls } = await orchestrator();
    const { id, definition, revision } = await call.body(newPull);
    return { id, ...(await putPull(pulls, { tenant: call.tenant, pull: id }, definition, revision)) };
  }),
});

app.http("pulls-list", {
  route: "v1/tenants/{tenant}/pulls",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "pulls:read", async (call) => listPulls((await orchestrator()).pulls, call.tenant)),
});
