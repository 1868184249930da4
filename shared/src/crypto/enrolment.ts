/**
 * The enrolment code and the MACs made with it. The code authenticates both sides and is never sent: a proxy that
 * intercepts TLS sees neither the secret nor a way to swap a key.
 */
import { createHmac, randomBytes } from "node:crypto";
import { equalBytes, sha256, utf8 } from "./bytes.ts";

/** Crockford's base32 alphabet; the check symbols go on to U (https://www.crockford.com/base32.html). */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHECK_SYMBOLS = `${ALPHABET}*~$=U`;
const ID_LENGTH = 8; // 40 bits
const SECRET_LENGTH = 20; // 100 bits

export interface EnrolmentCode {
  readonly codeId: string;
  /** 20 symbols, upper case, no separators. */
  readonly secret: string;
}

/** Draws a code: 40 random bits name it, 100 are its secret. */
export function drawCode(): EnrolmentCode {
  const symbols = Array.from(randomBytes(ID_LENGTH + SECRET_LENGTH), (byte) => ALPHABET[byte & 31]).join("");
  return { codeId: symbols.slice(0, ID_LENGTH), secret: symbols.slice(ID_LENGTH) };
}

/** `XXXX-XXXX.XXXX-XXXX-XXXX-XXXX-XXXX-C`, as shown to a person. */
export function formatCode({ codeId, secret }: EnrolmentCode): string {
  const groups = (text: string) => text.match(/.{4}/g)!.join("-");
  return `${groups(codeId)}.${groups(secret)}-${checkSymbol(codeId + secret)}`;
}

/** Reads what a person typed: forgives case, separators, I and L for 1, O for 0. Undefined when the check symbol does not fit. */
export function parseCode(typed: string): EnrolmentCode | undefined {
  const symbols = typed
    .toUpperCase()
    .replace(/[\s.-]/g, "")
    .replace(/[IL]/g, "1")
    .replace(/O/g, "0");
  if (symbols.length !== ID_LENGTH + SECRET_LENGTH + 1) return undefined;
  const body = symbols.slice(0, -1);
  if ([...body].some((symbol) => !ALPHABET.includes(symbol)) || checkSymbol(body) !== symbols.at(-1)) return undefined;
  return { codeId: body.slice(0, ID_LENGTH), secret: body.slice(ID_LENGTH) };
}

function checkSymbol(body: string): string {
  let remainder = 0;
  for (const symbol of body) remainder = (remainder * 32 + ALPHABET.indexOf(symbol)) % 37;
  return CHECK_SYMBOLS[remainder]!;
}

/** K of a code: what both sides make MACs with. */
export const codeKey = (secret: string): Buffer => sha256(utf8(secret));

/** MAC of an enrolment request over the bytes of its body. */
export function requestMac(key: Uint8Array, body: Uint8Array): Buffer {
  return createHmac("sha256", key).update("sallyport/1 enrol\0").update(body).digest();
}

/** MAC of the orchestrator's answer, bound to the request it answers. */
export function answerMac(key: Uint8Array, codeId: string, requestBody: Uint8Array, answerBody: Uint8Array): Buffer {
  const request = sha256(utf8(`${codeId}\0`), requestBody);
  return createHmac("sha256", key).update("sallyport/1 enrolled\0").update(request).update(answerBody).digest();
}

/** Compares two MACs in constant time. */
export const sameMac = equalBytes;
