/** A message as its sender meant it. The bytes are opaque to the broker. */
export type Message = {
  /** As text, whatever AMQP type it had; never empty, because one is assigned to a message without. */
  readonly messageId: string;
  readonly ttlMs: number | undefined;
  readonly scheduledAtMs: number | undefined;
  /** The sender's message-annotations section without those that belong to the broker; may be empty. */
  readonly annotations: Buffer;
  /** Properties, application properties, body and footer, byte for byte. */
  readonly bare: Buffer;
};

export type MessageState = "active" | "deferred" | "scheduled";

/** A message that an entity holds. Never altered in place: a change makes a new one. */
export type StoredMessage = {
  readonly sequenceNumber: number;
  readonly state: MessageState;
  readonly message: Message;
  readonly enqueuedAtMs: number;
  /** Infinity when it lives for ever. */
  readonly expiresAtMs: number;
  /** How often it was handed out before now. */
  readonly deliveries: number;
  /** The entity in which it was dead-lettered. */
  readonly deadLetterSource: string | undefined;
};

/** Application properties that a settlement adds or replaces. */
export type PropertyChanges = Readonly<Record<string, unknown>>;
