/** Logins as the journal and the breaker of failed logins know them: neither writes one that the owner did not list. */
import { createHmac } from "node:crypto";
import { fromBase64url } from "@sallyport/shared/crypto/bytes.ts";

/** `CORP\svc`, `svc@corp.example`, `CN=svc,DC=corp,DC=example`: the account is its domain's, in which names have no case. */
const OF_DOMAIN = /[\\@=]/;
/** `.\svc`, `\svc`: an account of the machine that is signed in to. */
const OF_MACHINE = /^\.?\\/;
/** The one way to sign in in which any name is the server's own, `app@shop` too. */
const OWN_LOGIN = "sql";

/**
 * HMAC of an account, under a key of this installation. A domain's account is one wherever it is tried, any other is its
 * server's: several connections that the same account signs in to are no further tries.
 * @param server where the connection leads (`serverOf`)
 * @param signIn the way, as the policy calls it: only by some is a name ever a domain's
 */
export function hashLogin(key: Uint8Array, server: string, user: string, signIn: string): string {
  const isOfDomain = signIn !== OWN_LOGIN && OF_DOMAIN.test(user) && !OF_MACHINE.test(user);
  const account = isOfDomain ? `\0${user.toLowerCase()}` : `${server.toLowerCase()}\0${user}`;
  return createHmac("sha256", key).update(account).digest("base64url");
}

/** A way in which a name with a domain is the domain's, and the one in which it is not: a name has no third hash. */
const EITHER_WAY = ["windowsNtlm", OWN_LOGIN];

/**
 * The login's name where the owner's policy lists it for the connection; else `login:` and eight characters of its HMAC,
 * by which two lines can be seen to mean the same one.
 * @param key the same key as text
 */
export function loginName(key: string, server: string, login: string, listed: readonly string[]): string {
  const named = listed.find((user) => hashLogins(key, server, [user], EITHER_WAY).includes(login));
  return named ?? `login:${login.slice(0, 8)}`;
}

/** Each login's HMAC in each of the ways, once. @param key as text */
export function hashLogins(
  key: string,
  server: string,
  users: readonly string[],
  signIns: readonly string[],
): readonly string[] {
  const bytes = fromBase64url(key) ?? Buffer.alloc(0);
  return [...new Set(users.flatMap((user) => signIns.map((signIn) => hashLogin(bytes, server, user, signIn))))];
}
