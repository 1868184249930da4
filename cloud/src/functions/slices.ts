import { app, type InvocationContext } from "@azure/functions";
import { orchestrator, SLICES_QUEUE, stopping } from "../compose.ts";
import { answerMessage } from "../pulls/answer.ts";

app.serviceBusQueue("slices", {
  connection: "SALLYPORT_SERVICEBUS",
  queueName: SLICES_QUEUE,
  handler: async (body, { triggerMetadata = {} }: InvocationContext) => {
    const { messageId, deliveryCount } = triggerMetadata;
    const message = { body, id: String(messageId), deliveries: Number(deliveryCount) };
    await answerMessage((await orchestrator()).pulls, message, stopping);
  },
});
