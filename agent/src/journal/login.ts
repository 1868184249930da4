/** Logins as the journal and the breaker of failed logins know them: neither writes one that the owner did not list. */
import { createHmac } from "node:crypto";
import { fromBase64url } from "@sallyport/shared/crypto/bytes.ts";

/** HMAC of a connection's login, under a key of this installation. */
export const hashLogin = (key: Uint8Array, connection: string, user: string): string =>
  createHmac("sha256", key).update(`${connection}\0${user}`).digest("base64url");

/**
 * The login's name where the owner's policy lists it for the connection; else `login:` and eight characters of its HMAC,
 * by which two lines can be seen to mean the same one.
 * @param key the same key as text
 */
export function loginName(key: string, connection: string, login: string, listed: readonly string[]): string {
  return listed[hashLogins(key, connection, listed).indexOf(login)] ?? `login:${login.slice(0, 8)}`;
}

/** Each login's HMAC. @param key as text */
export function hashLogins(key: string, connection: string, users: readonly string[]): readonly string[] {
  const bytes = fromBase64url(key) ?? Buffer.alloc(0);
  return users.map((user) => hashLogin(bytes, connection, user));
}
