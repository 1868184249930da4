import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { newRunBody } from "@sallyport/shared/schema/api.ts";
import { runId } from "@sallyport/shared/schema/ids.ts";
import { type Call, paged } from "../access/guard.ts";
import { orchestrator } from "../compose.ts";
import { cancelRun } from "../pulls/cancel.ts";
import { getParts, getRun, listRuns, startAgain, startRun } from "../pulls/views.ts";
import { serve } from "../serve.ts";
import type { Run } from "../store/runs.ts";
import { requireOpen } from "../tenants/quotas.ts";

serve("runs-start", async (call) => {
  const { pulls, store } = await orchestrator();
  await requireOpen(store, call.tenant);
  return startRun(pulls, call.tenant, call.param("pull"), call.body(newRunBody));
});

serve("runs-list", async (call) => {
  const { pulls } = await orchestrator();
  const sees = call.principal.only === null ? undefined : seesRuns(call);
  const page = await listRuns(pulls, call.tenant, call.param("pull"), call.page(50), sees);
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

/** For a restricted key: whether it may reach what a run has read. Each connection is looked up once. */
function seesRuns(call: Call): (source: Run["source"]) => Promise<boolean> {
  const answers = new Map<string, Promise<boolean>>();
  const look = (source: NonNullable<Run["source"]>) =>
    call.require({ pull: call.param("pull"), ...source }).then(
      () => true,
      (thrown: unknown) => {
        if (thrown instanceof SallyportError && thrown.code === "api.restricted") return false;
        throw thrown;
      },
    );
  return async (source) => {
    // Nothing was read; the pull itself was asked for and permitted.
    if (!source) return true;
    const name = `${source.connection}|${source.connectionAt}`;
    const answer = answers.get(name) ?? look(source);
    answers.set(name, answer);
    return answer;
  };
}
