/** What a line may name of a source: an identifier of a database, or a distinguished name without its people. */
import { z } from "zod";

const MAX_DN_CHARS = 1000;
const MAX_VALUE_CHARS = 128;

/** An identifier of the source: one or two parts without quotes, brackets or control characters, 257 characters at most. */
const IDENTIFIER = /^[^.[\]"'\p{Cc}]{1,128}(\.[^.[\]"'\p{Cc}]{1,128})?$/u;
/** A part as `maskDn` leaves it. */
const KEPT_PAIR = /^(?:OU|DC)=(?:[^,;+"\\\p{Cc}]|\\[^\p{Cc}]){1,128}$/u;
const MASKED_PAIR = /^[A-Za-z0-9.-]{1,64}=\*$/;

/** Part by part: one expression for all of it could be made to try every combination. */
export const isMaskedDn = (text: string): boolean =>
  text.length <= MAX_DN_CHARS && splitAt(text, ",+").every((pair) => MASKED_PAIR.test(pair) || KEPT_PAIR.test(pair));

/** `dbo.Orders`, `openInvoices`, or `CN=*,OU=Staff,DC=corp,DC=example`. */
export const journalObject = z
  .string()
  .max(MAX_DN_CHARS)
  .refine((text) => IDENTIFIER.test(text) || isMaskedDn(text), "not an identifier, and no masked DN");

const TYPE = /^(?:[A-Za-z][A-Za-z0-9-]{0,63}|[0-9]+(?:\.[0-9]+){1,20})$/;
const KEPT = new Set(["OU", "DC"]);

/**
 * The DN as it may stand in the journal: OU and DC stay as they are, of any other part only its type does, because its
 * value is a person's name or a computer's. Undefined for what is no DN (RFC 4514, and RFC 2253's quotes).
 */
export function maskDn(dn: string): string | undefined {
  const parts = splitAt(dn, ",;").map((rdn) => splitAt(rdn, "+").map(maskPair));
  const masked = parts.map((pairs) => (pairs.some((pair) => pair === undefined) ? undefined : pairs.join("+")));
  const text = masked.includes(undefined) ? undefined : masked.join(",");
  return text !== undefined && isMaskedDn(text) ? text : undefined;
}

/** `OU=Staff`, or `CN=*`. */
function maskPair(pair: string): string | undefined {
  const equals = pair.indexOf("=");
  const type = pair.slice(0, Math.max(0, equals)).trim();
  if (!TYPE.test(type)) return undefined;
  const value = pair.slice(equals + 1).trim();
  const isPlain = value.length > 0 && value.length <= MAX_VALUE_CHARS && !/["\p{Cc}]/u.test(value);
  const kept = type.toUpperCase();
  return KEPT.has(kept) && isPlain && !endsOpen(value) ? `${kept}=${value}` : `${type}=*`;
}

/** A backslash that escapes nothing of its own would escape what comes after it. */
const endsOpen = (value: string): boolean => (/\\*$/.exec(value)?.[0].length ?? 0) % 2 === 1;

/** At each separator that is neither escaped nor quoted. */
function splitAt(text: string, separators: string): string[] {
  const pieces: string[] = [];
  let piece = "";
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? "";
    if (letter === '"') quoted = !quoted;
    if (!quoted && separators.includes(letter)) {
      pieces.push(piece);
      piece = "";
    } else if (letter === "\\") {
      piece += text.slice(at, at + 2);
      at += 1;
    } else piece += letter;
  }
  return [...pieces, piece];
}
