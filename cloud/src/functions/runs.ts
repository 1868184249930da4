import { newRunBody } from "@sallyport/shared/schema/api.ts";
import { runId } from "@sallyport/shared/schema/ids.ts";
import { paged } from "../access/guard.ts";
import { orchestrator } from "../compose.ts";
import { cancelRun } from "../pulls/cancel.ts";
import { getParts, getRun, listRuns, startAgain, startRun } from "../pulls/views.ts";
import { serve } from "../serve.ts";
import { requireOpen } from "../tenants/quotas.ts";

serve("runs-start", async (call) => {
  const { pulls, store } = await orchestrator();
  await requireOpen(store, call.tenant);
  return startRun(pulls, call.tenant, call.param("pull"), call.body(newRunBody));
});

serve("runs-list", async (call) => {
  const page = await listRuns((await orchestrator()).pulls, call.tenant, call.param("pull"), call.page(50));
  return paged(page, page.items);
});

serve("runs-get", async (call) => getRun((await orchestrator()).pulls, call.tenant, call.param("run", runId)));

serve("runs-parts", async (call) => getParts((await orchestrator()).pulls, call.tenant, call.param("run", runId)));

serve("runs-cancel", async (call) => ({
  answer: await cancelRun((await orchestrator()).pulls, call.tenant, call.param("run", runId), call.principal.caller),
}));

serve("runs-retry", async (call) => {
  const { pulls, store } = await orchestrator();
  await requireOpen(store, call.tenant);
  return startAgain(pulls, call.tenant, call.param("run", runId));
});
