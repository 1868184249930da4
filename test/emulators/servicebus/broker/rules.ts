import { holds } from "../sql/evaluate.ts";
import type { Predicate } from "../sql/predicate.ts";
import type { Facets, SystemProperty } from "./facets.ts";

export type Rule =
  | { readonly matches: "everything" }
  | { readonly matches: "correlation"; readonly filter: CorrelationFilter }
  | { readonly matches: "sql"; readonly filter: Predicate };

export type CorrelationFilter = Readonly<Partial<Record<SystemProperty, string>>> & {
  readonly applicationProperties: Readonly<Record<string, string | number | boolean>>;
};

/**
 * Whether a subscription with these rules takes the message: one matching rule is enough, and however
 * many match, it gets one copy, because none of ours has an action. A correlation filter matches when
 * every field it names is equal, case included.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/topic-filters
 */
export function selects(rules: readonly Rule[], facets: Facets): boolean {
  return rules.some((rule) => {
    switch (rule.matches) {
      case "everything":
        return true;
      case "correlation":
        return correlates(rule.filter, facets);
      case "sql":
        return holds(rule.filter, facets);
      default:
        return rule satisfies never;
    }
  });
}

function correlates({ applicationProperties, ...fields }: CorrelationFilter, facets: Facets): boolean {
  return (
    Object.entries(fields).every(([name, value]) => facets[name as SystemProperty] === value) &&
    Object.entries(applicationProperties).every(([name, value]) => facets.applicationProperties[name] === value)
  );
}
