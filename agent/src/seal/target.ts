/** What a credential is sealed for: the owner's own entry of a connection. */
import type { CredentialText } from "@sallyport/shared/crypto/sealed-credential.ts";
import { type Policy, splitAddress } from "@sallyport/shared/schema/policy.ts";
import { ConfigError } from "../config-error.ts";

/**
 * The text without its password. @param login must be one of the policy's; where that lists one only, it may be left out
 * @throws ConfigError
 */
export function targetOf(
  policy: Policy,
  connection: string,
  login: string | undefined,
  signIn: string | undefined,
): Omit<CredentialText, "password"> {
  const entry = Object.hasOwn(policy.connections, connection) ? policy.connections[connection] : undefined;
  if (entry === undefined) throw new ConfigError(`the policy has no connection ${connection}`);
  const user = login ?? (entry.logins.length === 1 ? entry.logins[0] : undefined);
  if (user === undefined)
    throw new ConfigError(`the policy lists ${entry.logins.length} logins for ${connection}: choose one with --user`);
  if (!entry.logins.includes(user)) throw new ConfigError(`the policy does not list this login for ${connection}`);
  const words: readonly string[] = entry.signIn;
  const word = signIn ?? words[0] ?? "";
  if (!words.includes(word)) throw new ConfigError(`the policy does not allow sign-in by ${word} for ${connection}`);
  const database = "database" in entry ? entry.database : null;
  return { user, signIn: word, kind: entry.kind, ...splitAddress(entry.address), database, tls: entry.tls.mode };
}
