/** A connection of the policy by the name that a request, a report or a command line gives. */
import type { Connection, Policy } from "@sallyport/shared/schema/policy.ts";

/** Undefined where the policy has none of this name, also for names that every object has, such as `constructor`. */
export const findConnection = ({ connections }: Pick<Policy, "connections">, name: string): Connection | undefined =>
  Object.hasOwn(connections, name) ? connections[name] : undefined;
