/** What a credential is sealed for: the owner's own entry of a connection. */
import type { CredentialText } from "@sallyport/shared/crypto/sealed-credential.ts";
import { type Policy, splitAddress } from "@sallyport/shared/schema/policy.ts";

/** The text without its password. Undefined where the entry does not allow this way to sign in; its first one is the default. */
export function targetOf(
  entry: Policy["connections"][string],
  user: string,
  signIn: string | undefined,
): Omit<CredentialText, "password"> | undefined {
  const words: readonly string[] = entry.signIn;
  const word = signIn ?? words[0] ?? "";
  if (!words.includes(word)) return undefined;
  const database = "database" in entry ? entry.database : null;
  return { user, signIn: word, kind: entry.kind, ...splitAddress(entry.address), database, tls: entry.tls.mode };
}
