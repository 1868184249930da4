import { app, type InvocationContext } from "@azure/functions";
import { orchestrator, SLICES_QUEUE, stopping } from "../compose.ts";
import { answerMessage } from "../pulls/answer.ts";
import { readRequestBell } from "../requests/bell.ts";
import { goOn } from "../requests/go-on.ts";

app.serviceBusQueue("slices", {
  connection: "SALLYPORT_SERVICEBUS",
  queueName: SLICES_QUEUE,
  handler: async (body, { triggerMetadata = {} }: InvocationContext) => {
    const { pulls, requests } = await orchestrator();
    const request = readRequestBell(body);
    if (request !== undefined) return goOn(requests, request);
    const { messageId, deliveryCount } = triggerMetadata;
    const message = { body, id: String(messageId), deliveries: Number(deliveryCount) };
    await answerMessage(pulls, message, stopping);
  },
});
