import { app } from "@azure/functions";
import { newKey } from "@sallyport/shared/schema/api.ts";
import { guarded } from "../access/guard.ts";
import { addKey, listKeys, revokeKey } from "../access/keys.ts";
import { keys, orchestrator } from "../compose.ts";

app.http("keys-add", {
  route: "v1/keys",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "keys:write", async (call) =>
    addKey(await orchestrator(), call.principal, await call.body(newKey)),
  ),
});

app.http("keys-list", {
  route: "v1/keys",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: guarded(keys, "keys:write", async () => listKeys(await orchestrator())),
});

app.http("keys-revoke", {
  route: "v1/keys/{key}/revoke",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: guarded(keys, "keys:write", async (call) => revokeKey(await orchestrator(), call.param("key"))),
});
