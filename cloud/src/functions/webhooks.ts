import { deadLetterView, newWebhook, newWebhookSecret } from "@sallyport/shared/schema/events.ts";
import { orchestrator } from "../compose.ts";
import { listDeadLetters, replay } from "../events/dead-letters.ts";
import { addWebhook, getWebhook, listWebhooks, removeWebhook, rotateWebhook, testWebhook } from "../events/webhooks.ts";
import { serve } from "../serve.ts";

const webhooks = async () => (await orchestrator()).events.webhooks;

serve("webhooks-add", async (call) =>
  addWebhook(await webhooks(), call.tenant, call.body(newWebhook), call.principal.caller),
);

serve("webhooks-list", async (call) => listWebhooks(await webhooks(), call.tenant));

serve("webhooks-get", async (call) => getWebhook(await webhooks(), call.tenant, call.param("webhook")));

serve("webhooks-rotate", async (call) =>
  rotateWebhook(await webhooks(), call.tenant, call.param("webhook"), call.body(newWebhookSecret).overlapSeconds),
);

serve("webhooks-test", async (call) => testWebhook(await webhooks(), call.tenant, call.param("webhook")));

serve("webhooks-remove", async (call) => removeWebhook(await webhooks(), call.tenant, call.param("webhook")));

serve("dead-letters-list", async (call) => listDeadLetters(await webhooks(), call.tenant, call.param("webhook")));

serve("dead-letters-replay", async (call) =>
  replay(await webhooks(), call.tenant, call.param("webhook"), call.param("letter", deadLetterView.shape.id)),
);

serve("dead-letters-replay-all", async (call) =>
  replay(await webhooks(), call.tenant, call.param("webhook"), undefined),
);
