/** A connection of the policy by the name that a request, a report or a command line gives. */
import { type Connection, type Policy, splitAddress } from "@sallyport/shared/schema/policy.ts";

/** Undefined where the policy has none of this name, also for names that every object has, such as `constructor`. */
export const findConnection = ({ connections }: Pick<Policy, "connections">, name: string): Connection | undefined =>
  Object.hasOwn(connections, name) ? connections[name] : undefined;

/**
 * Where a connection leads by the owner's policy, which failed logins are counted by; its name where the policy has none.
 * One server has one text: a directory's host on all its ports, a database's with its port or instance.
 */
export function serverOf(policy: Pick<Policy, "connections">, name: string): string {
  const of = findConnection(policy, name);
  if (of === undefined) return name;
  const { host, port } = splitAddress(of.address.toLowerCase());
  return of.kind === "activeDirectory" || host.includes("\\") ? host : `${host}:${port}`;
}
