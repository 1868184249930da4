/** What a correlation filter can look at. */
export type Facets = {
  readonly correlationId?: string;
  readonly messageId?: string;
  readonly to?: string;
  readonly replyTo?: string;
  readonly subject?: string;
  readonly sessionId?: string;
  readonly replyToSessionId?: string;
  readonly contentType?: string;
  readonly applicationProperties: Readonly<Record<string, unknown>>;
};

export type Rule =
  | { readonly matches: "everything" | "nothing" }
  | { readonly matches: "correlation"; readonly filter: CorrelationFilter };

export type CorrelationFilter = Partial<Omit<Facets, "applicationProperties">> & {
  readonly applicationProperties: Readonly<Record<string, string | number | boolean>>;
};

/**
 * Whether a subscription with these rules takes the message: one matching rule is enough, and a
 * correlation filter matches when every field it names is equal.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/topic-filters
 */
export function selects(rules: readonly Rule[], facets: Facets): boolean {
  return rules.some((rule) => {
    switch (rule.matches) {
      case "everything":
        return true;
      case "nothing":
        return false;
      case "correlation":
        return correlates(rule.filter, facets);
      default:
        return rule satisfies never;
    }
  });
}

function correlates({ applicationProperties, ...fields }: CorrelationFilter, facets: Facets): boolean {
  return (
    Object.entries(fields).every(([name, value]) => facets[name as keyof Facets] === value) &&
    Object.entries(applicationProperties).every(([name, value]) => facets.applicationProperties[name] === value)
  );
}
