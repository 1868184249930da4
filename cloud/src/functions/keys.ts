import { keyRotation, newKey } from "@sallyport/shared/schema/api.ts";
import { paged } from "../access/guard.ts";
import { addKey, listKeys, revokeKey, rotateKey } from "../access/keys.ts";
import { orchestrator } from "../compose.ts";
import { serve } from "../serve.ts";

serve("keys-add", async (call) => addKey(await orchestrator(), call.principal, call.body(newKey)));

serve("keys-list", async (call) => {
  const page = await listKeys(await orchestrator(), call.page());
  return paged(page, page.items);
});

serve("keys-rotate", async (call) =>
  rotateKey(await orchestrator(), call.principal, call.param("key"), call.body(keyRotation).overlapSeconds),
);

serve("keys-revoke", async (call) => revokeKey(await orchestrator(), call.principal, call.param("key")));
