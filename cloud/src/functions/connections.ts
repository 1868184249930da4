import { newConnection, newCredential } from "@sallyport/shared/schema/api.ts";
import { paged } from "../access/guard.ts";
import { orchestrator } from "../compose.ts";
import { testConnection } from "../requests/connection-test.ts";
import { serve } from "../serve.ts";
import { addConnection, listConnections, removeConnection, storeCredential } from "../tenants/connections.ts";

serve("connections-add", async (call) => {
  const wanted = call.body(newConnection);
  await call.require({ site: wanted.site, connection: wanted.id });
  return addConnection(await orchestrator(), call.tenant, wanted);
});

serve("connections-list", async (call) => {
  const page = await listConnections(await orchestrator(), call.tenant, call.page());
  return paged(
    page,
    page.items.filter(({ id, site }) => call.sees({ connection: id, site })),
  );
});

serve("connections-remove", async (call) =>
  removeConnection(await orchestrator(), call.tenant, call.param("connection")),
);

serve("credentials-put", async (call) =>
  storeCredential(await orchestrator(), call.tenant, call.param("connection"), call.body(newCredential)),
);

serve("connections-test", async (call) =>
  testConnection((await orchestrator()).requests, {
    tenant: call.tenant,
    connection: call.param("connection"),
    caller: call.principal.caller,
  }),
);
