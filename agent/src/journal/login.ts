/** Logins as the journal and the breaker of failed logins know them: neither writes one that the owner did not list. */
import { createHmac } from "node:crypto";
import { fromBase64url } from "@sallyport/shared/crypto/bytes.ts";

/** `CORP\svc`, `svc@corp.example`, `CN=svc,DC=corp,DC=example`: the account is its domain's, in which names have no case. */
const OF_DOMAIN = /[\\@=]/;

/**
 * HMAC of an account, under a key of this installation. A domain's account is one wherever it is tried, any other is its
 * server's: several connections that the same account signs in to are no further tries.
 * @param server address of the connection as the policy has it
 */
export function hashLogin(key: Uint8Array, server: string, user: string): string {
  const account = OF_DOMAIN.test(user) ? `\0${user.toLowerCase()}` : `${server.toLowerCase()}\0${user}`;
  return createHmac("sha256", key).update(account).digest("base64url");
}

/**
 * The login's name where the owner's policy lists it for the connection; else `login:` and eight characters of its HMAC,
 * by which two lines can be seen to mean the same one.
 * @param key the same key as text
 */
export function loginName(key: string, server: string, login: string, listed: readonly string[]): string {
  return listed[hashLogins(key, server, listed).indexOf(login)] ?? `login:${login.slice(0, 8)}`;
}

/** Each login's HMAC. @param key as text */
export function hashLogins(key: string, server: string, users: readonly string[]): readonly string[] {
  const bytes = fromBase64url(key) ?? Buffer.alloc(0);
  return users.map((user) => hashLogin(bytes, server, user));
}
