import { z } from "zod";
import { durationMs } from "./duration.ts";
import { rule, ruleOf } from "./rules.ts";
import { type EntitySettings, subscriptionPath } from "./settings.ts";

const LONGEST_LOCK_MS = 5 * 60_000;
const LONGEST_DUPLICATE_WINDOW_MS = 7 * 86_400_000;

const duration = z.string().transform((text, context) => {
  const ms = durationMs(text);
  if (ms === undefined) context.addIssue({ code: "custom", message: `"${text}" is not an ISO 8601 duration` });
  return ms ?? 0;
});

const entityName = z.string().regex(/^[A-Za-z0-9](?:[\w./-]{0,258}[A-Za-z0-9_])?$/, "not a Service Bus entity name");
const subscriptionName = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[\w.-]{0,48}[A-Za-z0-9_])?$/,
    "not the name of a subscription: at most 50 characters, no slash",
  );

// What is not emulated is refused at the start rather than silently ignored.
const unsupportedText = z.literal("", "forwarding is not emulated").optional();
const unsupportedSessions = z.literal(false, "sessions are not emulated").default(false);

const duplicateDetection = {
  RequiresDuplicateDetection: z.boolean().default(false),
  DuplicateDetectionHistoryTimeWindow: duration
    .refine((ms) => ms <= LONGEST_DUPLICATE_WINDOW_MS, "at most 7 days")
    .default(10 * 60_000),
};

const receiving = {
  LockDuration: duration
    .refine((ms) => ms > 0 && ms <= LONGEST_LOCK_MS, "more than nothing and at most 5 minutes")
    .default(60_000),
  MaxDeliveryCount: z.int().min(1).max(2000).default(10),
  DefaultMessageTimeToLive: duration.default(Infinity),
  DeadLetteringOnMessageExpiration: z.boolean().default(false),
  RequiresSession: unsupportedSessions,
  ForwardTo: unsupportedText,
  ForwardDeadLetteredMessagesTo: unsupportedText,
};

const queueProperties = z.strictObject({ ...receiving, ...duplicateDetection });
const subscriptionProperties = z.strictObject(receiving);

const subscription = z.strictObject({
  Name: subscriptionName,
  Properties: subscriptionProperties.prefault({}),
  // Whether an empty list is the true filter or none at all, Microsoft's documentation does not say.
  Rules: z
    .array(rule)
    .min(1, "leave Rules out for the true filter; 1=0 selects nothing")
    .refine((rules) => !repeated(rules.map(({ Name }) => Name)), "two rules of one name")
    .optional(),
});

const queue = z.strictObject({ Name: entityName, Properties: queueProperties.prefault({}) });

const topic = z.strictObject({
  Name: entityName,
  Properties: z
    .strictObject({ DefaultMessageTimeToLive: duration.default(Infinity), ...duplicateDetection })
    .prefault({}),
  Subscriptions: z.array(subscription).default([]),
});

/**
 * The JSON of Microsoft's own Service Bus emulator, with exactly one namespace, whose name plays no part.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/test-locally-with-service-bus-emulator
 */
export const officialConfig = z.strictObject({
  UserConfig: z.strictObject({
    Namespaces: z
      .array(
        z.strictObject({
          Name: z.string().min(1),
          Queues: z.array(queue).default([]),
          Topics: z.array(topic).default([]),
        }),
      )
      .length(1, "one namespace, as in Microsoft's emulator"),
    Logging: z.unknown().optional(),
  }),
});

export type OfficialConfig = z.input<typeof officialConfig>;

/**
 * Checks the official configuration and puts it into the broker's terms.
 *
 * @throws z.ZodError naming the property that is wrong or not emulated
 */
export function entitiesOf(config: OfficialConfig): EntitySettings[] {
  const [namespace] = officialConfig.parse(config).UserConfig.Namespaces;
  const { Queues: queues, Topics: topics } = namespace!;
  const entities: EntitySettings[] = [
    ...queues.map(({ Name: name, Properties: properties }) => ({
      kind: "queue" as const,
      name,
      queue: queueSettings(properties),
      duplicateWindowMs: duplicateWindowMs(properties),
    })),
    ...topics.map(({ Name: name, Properties: properties, Subscriptions: subscriptions }) => ({
      kind: "topic" as const,
      name,
      defaultTtlMs: properties.DefaultMessageTimeToLive,
      duplicateWindowMs: duplicateWindowMs(properties),
      subscriptions: subscriptions.map((each) => ({
        name: each.Name,
        queue: queueSettings(each.Properties),
        rules: each.Rules?.map(ruleOf) ?? [{ matches: "everything" as const }],
      })),
    })),
  ];
  const twice = repeated(entities.flatMap(addressesOf));
  if (twice !== undefined) throw new Error(`The entity "${twice}" is configured twice.`);
  return entities;
}

function addressesOf(entity: EntitySettings): string[] {
  if (entity.kind === "queue") return [entity.name];
  return [entity.name, ...entity.subscriptions.map(({ name }) => subscriptionPath(entity.name, name))];
}

/** The first name that stood before, if any. Azure compares names without case. */
function repeated(names: readonly string[]): string | undefined {
  const lower = names.map((name) => name.toLowerCase());
  return names.find((_, index) => lower.indexOf(lower[index]!) < index);
}

function queueSettings(properties: z.infer<typeof subscriptionProperties>) {
  return {
    lockMs: properties.LockDuration,
    maxDeliveries: properties.MaxDeliveryCount,
    defaultTtlMs: properties.DefaultMessageTimeToLive,
    deadLetterOnExpiry: properties.DeadLetteringOnMessageExpiration,
  };
}

function duplicateWindowMs(properties: {
  RequiresDuplicateDetection: boolean;
  DuplicateDetectionHistoryTimeWindow: number;
}): number | undefined {
  return properties.RequiresDuplicateDetection ? properties.DuplicateDetectionHistoryTimeWindow : undefined;
}
