import type { PropertyChanges } from "./message.ts";

/**
 * The properties with which the broker itself dead-letters a message.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-dead-letter-queues
 */
export const expired: PropertyChanges = {
  DeadLetterReason: "TTLExpiredException",
  DeadLetterErrorDescription: "The message expired and was dead lettered.",
};

export function deliveredTooOften(maxDeliveries: number): PropertyChanges {
  return {
    DeadLetterReason: "MaxDeliveryCountExceeded",
    DeadLetterErrorDescription: `Message could not be consumed after ${maxDeliveries} delivery attempts.`,
  };
}
