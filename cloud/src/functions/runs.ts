import { app } from "@azure/functions";
import { newRunBody } from "@sallyport/shared/schema/api.ts";
import { runId } from "@sallyport/shared/schema/ids.ts";
import { guarded } from "../access/guard.ts";
import { keys, orchestrator } from "../compose.ts";
import { cancelRun } from "../pulls/cancel.ts";
import { getParts, getRun, listRuns, startAgain, startRun } from "../pulls/views.ts";

app.http("runs-start", {
  route: "v1/tenants/{tenant}/pulls/{pull}/runs",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "runs:start", async (call) =>
    startRun((await orchestrator()).pulls, call.tenant, call.param("pull"), await call.body(newRunBody)),
  ),
});

app.http("runs-list", {
  route: "v1/tenants/{tenant}/pulls/{pull}/runs",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "runs:read", async (call) =>
    listRuns((await orchestrator()).pulls, call.tenant, call.param("pull")),
  ),
});

app.http("runs-get", {
  route: "v1/tenants/{tenant}/runs/{run}",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "runs:read", async (call) =>
    getRun((await orchestrator()).pulls, call.tenant, call.param("run", runId)),
  ),
});

app.http("runs-parts", {
  route: "v1/tenants/{tenant}/runs/{run}/parts",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "data:read", async (call) =>
    getParts((await orchestrator()).pulls, call.tenant, call.param("run", runId)),
  ),
});

app.http("runs-cancel", {
  route: "v1/tenants/{tenant}/runs/{run}/cancel",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "runs:start", async (call) => ({
    answer: await cancelRun(
      (await orchestrator()).pulls,
      call.tenant,
      call.param("run", runId),
      `key:${call.principal.id}`,
    ),
  })),
});

app.http("runs-retry", {
  route: "v1/tenants/{tenant}/runs/{run}/retry",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "runs:start", async (call) =>
    startAgain((await orchestrator()).pulls, call.tenant, call.param("run", runId)),
  ),
});
