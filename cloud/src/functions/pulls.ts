import { app } from "@azure/functions";
import { newPull } from "@sallyport/shared/schema/api.ts";
import { guarded } from "../access/guard.ts";
import { keys, orchestrator } from "../compose.ts";
import { putPull, resetPull, setPaused } from "../pulls/define.ts";
import { getPull, listPulls } from "../pulls/views.ts";

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

app.http("pulls-get", {
  route: "v1/tenants/{tenant}/pulls/{pull}",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "pulls:read", async (call) =>
    getPull((await orchestrator()).pulls, call.tenant, call.param("pull")),
  ),
});

app.http("pulls-pause", {
  route: "v1/tenants/{tenant}/pulls/{pull}/pause",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "pulls:write", async (call) => {
    const { pulls } = await orchestrator();
    await setPaused(pulls, { tenant: call.tenant, pull: call.param("pull") }, true);
    return getPull(pulls, call.tenant, call.param("pull"));
  }),
});

app.http("pulls-resume", {
  route: "v1/tenants/{tenant}/pulls/{pull}/resume",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "pulls:write", async (call) => {
    const { pulls } = await orchestrator();
    await setPaused(pulls, { tenant: call.tenant, pull: call.param("pull") }, false);
    return getPull(pulls, call.tenant, call.param("pull"));
  }),
});

app.http("pulls-reset", {
  route: "v1/tenants/{tenant}/pulls/{pull}/reset",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "pulls:write", async (call) => {
    const { pulls } = await orchestrator();
    await resetPull(pulls, { tenant: call.tenant, pull: call.param("pull") });
    return getPull(pulls, call.tenant, call.param("pull"));
  }),
});
