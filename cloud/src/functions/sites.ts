import { newCode, newSite } from "@sallyport/shared/schema/api.ts";
import { paged } from "../access/guard.ts";
import { authorize } from "../access/principal.ts";
import { createCode } from "../agents/enrolment.ts";
import { orchestrator } from "../compose.ts";
import { serve } from "../serve.ts";
import { requireOpen, requireQuota } from "../tenants/quotas.ts";
import { addSite, listSites, removeSite } from "../tenants/tenants.ts";

serve("sites-add", async (call) => {
  const wanted = call.body(newSite);
  await call.require({ site: wanted.id });
  return addSite(await orchestrator(), call.tenant, wanted);
});

serve("sites-list", async (call) => {
  const page = await listSites(await orchestrator(), call.tenant, call.page());
  return paged(
    page,
    page.items.filter(({ id }) => call.sees({ site: id })),
  );
});

serve("sites-remove", async (call) => removeSite(await orchestrator(), call.tenant, call.param("site")));

serve("codes-add", async (call) => {
  const { enrolment, store } = await orchestrator();
  const { autoApprove } = call.body(newCode);
  // Such a code approves an agent: from then on it is sent the site's credentials.
  if (autoApprove) authorize(call.principal, "agents:approve", call.tenant);
  await requireOpen(store, call.tenant);
  await requireQuota(store, call.tenant, "agents");
  return createCode(enrolment, call.tenant, call.param("site"), autoApprove, call.principal.caller);
});
