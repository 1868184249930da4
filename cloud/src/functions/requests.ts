import { newRequest } from "@sallyport/shared/schema/api-requests.ts";
import { randomId } from "@sallyport/shared/schema/ids.ts";
import { replied } from "../access/guard.ts";
import { orchestrator } from "../compose.ts";
import { makeRequest } from "../requests/make.ts";
import { showRequest } from "../requests/views.ts";
import { serve } from "../serve.ts";
import { requireOpen } from "../tenants/quotas.ts";

serve("requests-add", async (call) => {
  const { requests, store } = await orchestrator();
  const wanted = call.body(newRequest);
  await call.require({ connection: wanted.connection });
  await requireOpen(store, call.tenant);
  const { tenant, principal, repeat } = call;
  return replied(await makeRequest(requests, { tenant, caller: principal.caller, repeat }, wanted));
});

serve("requests-get", async (call) => {
  const { requests } = await orchestrator();
  return replied(await showRequest(requests, call.tenant, call.param("request", randomId)));
});
