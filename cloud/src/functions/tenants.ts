import { newTenant, offboarding, tenantChange } from "@sallyport/shared/schema/api.ts";
import { listAudit } from "../access/audit.ts";
import { paged, tagged } from "../access/guard.ts";
import { requireMatch, tagOf } from "../access/tags.ts";
import { orchestrator } from "../compose.ts";
import { serve } from "../serve.ts";
import { exportTenant } from "../tenants/export.ts";
import { offboard } from "../tenants/offboard.ts";
import { addTenant, changeTenant, getTenant, listTenants } from "../tenants/tenants.ts";

serve("tenants-add", async (call) => addTenant(await orchestrator(), call.body(newTenant)));

serve("tenants-list", async (call) => {
  const page = await listTenants(await orchestrator(), call.page());
  return paged(page, page.items);
});

serve("tenants-get", async (call) => {
  const view = await getTenant(await orchestrator(), call.tenant);
  return tagged(view, tagOf([view.name, view.quotas]));
});

serve("tenants-change", async (call) => {
  const deps = await orchestrator();
  const before = await getTenant(deps, call.tenant);
  requireMatch(call.ifMatch, tagOf([before.name, before.quotas]));
  const view = await changeTenant(deps, call.tenant, call.body(tenantChange));
  return tagged(view, tagOf([view.name, view.quotas]));
});

serve("tenants-export", async (call) => exportTenant(await orchestrator(), call.tenant));

serve("tenants-offboard", async (call) => offboard(await orchestrator(), call.tenant, call.body(offboarding)));

serve("audit-list", async (call) => {
  const page = await listAudit(await orchestrator(), call.tenant, call.page(100));
  return paged(page, page.items);
});

serve("audit-list-platform", async (call) => {
  const page = await listAudit(await orchestrator(), null, call.page(100));
  return paged(page, page.items);
});
