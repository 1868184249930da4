/** The properties of a message's own that a rule may look at, by the names that our code gives them. */
export type SystemProperty =
  | "correlationId"
  | "messageId"
  | "to"
  | "replyTo"
  | "subject"
  | "sessionId"
  | "replyToSessionId"
  | "contentType";

/** What the rules of a subscription can look at. */
export type Facets = Readonly<Partial<Record<SystemProperty, string>>> & {
  /** Text, numbers and booleans as such; a rule finds that others are there, and nothing else about them. */
  readonly applicationProperties: Readonly<Record<string, unknown>>;
};
