import type { ServiceBusReceivedMessage } from "@azure/service-bus";
import type { InvocationInput, RpcTypedData } from "../rpc.ts";

/**
 * A received message as a Service Bus trigger sees it. Source: azure-sdk-for-net, ServiceBusTriggerBindingStrategy
 * (the names), azure-functions-host, RpcMessageConversionExtensions (the types).
 *
 * Strings travel as strings, and the worker's library parses every string that looks like JSON: a body `{"a":1}`
 * arrives as an object and a message id `42` as a number. It also lowers the first letter of every name, inside the
 * application properties too. Both are habits of the real thing.
 */
export type TriggerMessage = Pick<ServiceBusReceivedMessage, "body"> & Partial<ServiceBusReceivedMessage>;

/** Makes the invocation's input. The message must have been received with its body unparsed (a Buffer for data). */
export function toServiceBusInput(
  bindingName: string,
  dataType: "string" | "binary",
  message: TriggerMessage,
): InvocationInput {
  const bytes = bodyBytes(message.body);
  const data: RpcTypedData = dataType === "binary" ? { bytes } : { string: bytes.toString("utf8") };
  return { inputData: [{ name: bindingName, data }], triggerMetadata: triggerMetadata(message) };
}

function triggerMetadata(message: TriggerMessage): Record<string, RpcTypedData> {
  const texts = {
    MessageId: message.messageId === undefined ? undefined : String(message.messageId),
    CorrelationId: message.correlationId === undefined ? undefined : String(message.correlationId),
    ContentType: message.contentType,
    Subject: message.subject,
    To: message.to,
    ReplyTo: message.replyTo,
    ReplyToSessionId: message.replyToSessionId,
    SessionId: message.sessionId,
    PartitionKey: message.partitionKey,
    DeadLetterSource: message.deadLetterSource,
    LockToken: message.lockToken,
  };
  const values = {
    // The JavaScript SDK counts failed deliveries (0 at first), the extension counts this one too.
    DeliveryCount: (message.deliveryCount ?? 0) + 1,
    SequenceNumber: message.sequenceNumber === undefined ? undefined : Number(message.sequenceNumber),
    EnqueuedTimeUtc: message.enqueuedTimeUtc,
    ExpiresAtUtc: message.expiresAtUtc,
    ApplicationProperties: message.applicationProperties ?? {},
  };
  const metadata: Record<string, RpcTypedData> = {};
  for (const [name, text] of Object.entries(texts)) if (text !== undefined) metadata[name] = { string: text };
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) metadata[name] = { json: toJson(value) };
  }
  return metadata;
}

function bodyBytes(body: unknown): Buffer {
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (body instanceof Uint8Array) return Buffer.from(body);
  if (Array.isArray(body) && body.every((part) => part instanceof Uint8Array)) return Buffer.concat(body);
  return Buffer.from(typeof body === "string" ? body : toJson(body));
}

/** JSON as Newtonsoft writes it: times as ISO text, bytes as base64. */
function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, shown: unknown) {
    const original = this[key]; // a Buffer's toJSON has run on `shown` already
    if (original instanceof Uint8Array) return Buffer.from(original).toString("base64");
    return typeof shown === "bigint" ? shown.toString() : shown;
  });
}
