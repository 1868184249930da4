/** Entity tags and the conditions on them (RFC 9110 8.8.3 and 13.1.1). */
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** A pull's tag is its revision; anything else's a hash of what may be changed of it. */
export const tagOf = (content: unknown): string =>
  `"${typeof content === "number" ? content : toBase64url(sha256(utf8(JSON.stringify(content)))).slice(0, 22)}"`;

/** The revision that `If-Match` names, where it is one; undefined without the header, or for `*`. @throws api.changed */
export function revisionOf(ifMatch: string | null): number | undefined {
  if (ifMatch === null || ifMatch.trim() === "*") return undefined;
  const digits = /^\s*"([1-9][0-9]{0,14})"\s*$/.exec(ifMatch)?.[1];
  if (digits === undefined) throw changed();
  return Number(digits);
}

/** Without the header anything goes. @throws api.changed */
export function requireMatch(ifMatch: string | null, tag: string): void {
  if (ifMatch === null) return;
  const given = ifMatch.split(",").map((one) => one.trim());
  if (!given.includes("*") && !given.includes(tag)) throw changed();
}

const changed = () => new SallyportError("api.changed", "It is no longer what If-Match names.");
