/** A connection of the policy by the name that a request, a report or a command line gives. */
import type { Connection, Policy } from "@sallyport/shared/schema/policy.ts";

/** Undefined where the policy has none of this name, also for names that every object has, such as `constructor`. */
export const findConnection = ({ connections }: Pick<Policy, "connections">, name: string): Connection | undefined =>
  Object.hasOwn(connections, name) ? connections[name] : undefined;

/** Where a connection leads by the owner's policy, which failed logins are counted by; its name where the policy has none. */
export const serverOf = (policy: Pick<Policy, "connections">, name: string): string =>
  findConnection(policy, name)?.address ?? name;
