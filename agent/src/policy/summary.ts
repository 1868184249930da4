/** A policy in one line, and its grants that end. Pure. */
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { counted } from "@sallyport/shared/terminal.ts";
import { dayIn } from "./local-time.ts";

export interface Grant {
  readonly connection: string;
  readonly rule: string;
  /** Whole days after today, in the connection's time zone; 0: it ends with today; negative: it has ended. */
  readonly days: number;
}

/** Every rule with an `until`, the one that ends first in front. */
export function grantsOf({ connections }: Policy, now: Date): readonly Grant[] {
  return Object.entries(connections)
    .flatMap(([connection, { hours, rules }]) => {
      const today = Date.parse(dayIn(hours?.timezone ?? "UTC", now));
      return rules.flatMap((rule): Grant[] => {
        const { until } = rule as { readonly until?: string };
        return until === undefined
          ? []
          : [{ connection, rule: rule.id, days: (Date.parse(until) - today) / 86_400_000 }];
      });
    })
    .sort((a, b) => a.days - b.days);
}

/** Those that end within so many days, today's among them. */
export const endingGrants = (policy: Policy, now: Date, withinDays: number): readonly Grant[] =>
  grantsOf(policy, now).filter(({ days }) => days >= 0 && days <= withinDays);

/** `3 connections, 9 rules, 1 grant ends in 12 d`. */
export function summaryOf(policy: Policy, now: Date): string {
  const all = Object.values(policy.connections);
  const rules = all.reduce((sum, connection) => sum + connection.rules.length, 0);
  const next = grantsOf(policy, now).find(({ days }) => days >= 0);
  const ending = grantsOf(policy, now).filter(({ days }) => days === next?.days).length;
  const ends = next?.days === 0 ? "with today" : `in ${next?.days} d`;
  return [
    counted(all.length, "connection"),
    counted(rules, "rule"),
    ...(next === undefined ? [] : [`${counted(ending, "grant")} ${ending === 1 ? "ends" : "end"} ${ends}`]),
  ].join(", ");
}
