import { app } from "@azure/functions";
import { orchestrator, SLICES_QUEUE, stopping } from "../compose.ts";
import { answerDoorbell } from "../pulls/answer.ts";

app.serviceBusQueue("slices", {
  connection: "SALLYPORT_SERVICEBUS",
  queueName: SLICES_QUEUE,
  handler: async (message) => answerDoorbell((await orchestrator()).pulls, message, stopping),
});
