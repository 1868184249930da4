/** Which connection of the policy a command line means, and which of its logins. */
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { findConnection } from "../policy/find-connection.ts";
import { UsageError } from "./exit.ts";

/** @throws UsageError where the policy has none of this name */
export function connectionOf(policy: Policy, name: string): Policy["connections"][string] {
  const found = findConnection(policy, name);
  if (found === undefined) throw new UsageError(`the policy has no connection ${name}`);
  return found;
}

/**
 * The login that `--login` names, compared exactly, as the policy's rules do; where there is one only, it need not be named.
 * @throws UsageError
 */
export function loginOf(connection: string, logins: readonly string[], wanted: string | undefined): string {
  const login = wanted ?? (logins.length === 1 ? logins[0] : undefined);
  if (login === undefined) throw new UsageError(`${connection} has several logins: say --login`);
  if (!logins.includes(login)) throw new UsageError(`the policy does not list the login ${login} for ${connection}`);
  return login;
}
