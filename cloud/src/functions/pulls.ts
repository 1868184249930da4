import { newPull, putPullBody } from "@sallyport/shared/schema/api.ts";
import type { PullDefinition } from "@sallyport/shared/schema/pull.ts";
import { type Call, paged, tagged } from "../access/guard.ts";
import { requireConnections } from "../access/principal.ts";
import { requireMatch, revisionOf, tagOf } from "../access/tags.ts";
import { orchestrator } from "../compose.ts";
import { putPull, resetPull, setPaused } from "../pulls/define.ts";
import type { PullDeps } from "../pulls/deps.ts";
import { removePull } from "../pulls/remove.ts";
import { getPull, listPulls } from "../pulls/views.ts";
import { serve } from "../serve.ts";
import type { PullKey } from "../store/runs.ts";
import { requireOpen, requireQuota } from "../tenants/quotas.ts";

serve("pulls-add", async (call) => {
  const { id, definition, revision } = call.body(newPull);
  return put(call, id, definition, revision ?? revisionOf(call.ifMatch));
});

serve("pulls-put", async (call) =>
  put(call, call.param("pull"), call.body(putPullBody).definition, revisionOf(call.ifMatch)),
);

serve("pulls-list", async (call) => {
  const { pulls, store } = await orchestrator();
  const page = await listPulls(pulls, call.tenant, call.page());
  if (call.principal.only === null) return paged(page, page.items);
  const sites = new Map((await store.connections.list(call.tenant)).map(({ row, value }) => [row.row, value.site]));
  return paged(
    page,
    page.items.filter(({ id, definition: { connection } }) =>
      call.sees({ pull: id, connection, site: sites.get(connection) }),
    ),
  );
});

serve("pulls-get", async (call) => shown((await orchestrator()).pulls, call));

serve("pulls-pause", async (call) => changed(call, (pulls, key, revision) => setPaused(pulls, key, true, revision)));
serve("pulls-resume", async (call) => changed(call, (pulls, key, revision) => setPaused(pulls, key, false, revision)));
serve("pulls-reset", async (call) => changed(call, (pulls, key) => resetPull(pulls, key)));

serve("pulls-remove", async (call) => {
  const { pulls } = await orchestrator();
  const key = { tenant: call.tenant, pull: call.param("pull") };
  return { id: key.pull, removedAt: await removePull(pulls, key, await named(pulls, call)) };
});

/** A key for some pulls or connections may change only what was and stays theirs. */
async function put(call: Call, id: string, definition: PullDefinition, revision: number | undefined) {
  const { pulls, store } = await orchestrator();
  const stored = await store.runs.definition({ tenant: call.tenant, pull: id });
  await call.require({ pull: id, connection: definition.connection });
  if (stored?.value.definition.connection !== definition.connection) requireConnections(call.principal);
  if (stored === undefined) {
    await requireOpen(store, call.tenant);
    await requireQuota(store, call.tenant, "pulls");
  } else await call.require({ pull: id, connection: stored.value.definition.connection });
  const answer = { id, ...(await putPull(pulls, { tenant: call.tenant, pull: id }, definition, revision)) };
  return tagged(answer, tagOf(answer.revision));
}

async function shown(pulls: PullDeps, call: Call) {
  const view = await getPull(pulls, call.tenant, call.param("pull"));
  return tagged(view, tagOf(view.revision));
}

async function changed(
  call: Call,
  change: (pulls: PullDeps, key: PullKey, revision: number | undefined) => Promise<unknown>,
) {
  const { pulls } = await orchestrator();
  await change(pulls, { tenant: call.tenant, pull: call.param("pull") }, await named(pulls, call));
  return shown(pulls, call);
}

/** The revision that `If-Match` names; undefined without one. @throws api.not_found, api.changed where it is another by now */
async function named(pulls: PullDeps, call: Call): Promise<number | undefined> {
  if (call.ifMatch === null) return undefined;
  const { revision } = await getPull(pulls, call.tenant, call.param("pull"));
  requireMatch(call.ifMatch, tagOf(revision));
  return revision;
}
