/**
 * A directory's results and a socket's failures as codes of ours: by result code and sub-code, never by English text. The
 * directory's own words quote names and values, so only numbers go on.
 */
import { type ErrorCode, type ErrorDetail, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Result } from "./message.ts";

type Row = readonly [code: ErrorCode, message: string];

/** What `data …` or the first eight digits say in a refused sign-in: Windows' error numbers, hexadecimal [MS-ERREF 2.2]. */
const SIGN_IN_SUB_CODES: Readonly<Record<string, Row>> = {
  "525": ["connection.login_failed", "The directory refused the login."],
  "52e": ["connection.login_failed", "The directory refused the login."],
  "52f": ["directory.workstation", "The account has restrictions that do not let it sign in here."],
  "530": ["directory.logon_hours", "The account may not sign in at this hour."],
  "531": ["directory.workstation", "The account may not sign in from this machine."],
  "532": ["directory.password_expired", "The account's password has expired."],
  "533": ["directory.account_disabled", "The account is disabled."],
  "701": ["directory.account_expired", "The account has expired."],
  "773": ["directory.password_expired", "The account's password must be changed first."],
  "775": ["connection.account_locked", "The account is locked out."],
  "80090346": ["directory.channel_binding", "The directory refused the sign-in's channel binding."],
};
/** Told only to who knows the password [MS-ERREF; measured]: for a breaker no failed attempt. */
const PASSWORD_WAS_RIGHT = new Set(["530", "531", "532", "533", "701", "773"]);

/** [RFC 4511 A.2] */
const RESULTS: Readonly<Record<number, Row>> = {
  2: ["directory.protocol", "The directory did not understand the request."],
  3: ["directory.timeout", "The directory gave the request up: it took too long."],
  4: ["directory.truncated", "The directory cut the result short at its size limit."],
  7: ["directory.unsupported", "The directory does not know this way to sign in."],
  8: ["directory.signing_required", "The directory wants signed or encrypted connections."],
  10: ["directory.referral", "The directory refers to another server."],
  11: ["directory.limit", "The request goes beyond a limit of the directory's."],
  12: ["directory.unsupported", "The directory does not serve a part of the request."],
  13: ["directory.signing_required", "The directory wants an encrypted connection."],
  32: ["directory.not_found", "The directory has no object of that name, or hides it from this login."],
  34: ["request.invalid", "The directory does not take the name for a distinguished name."],
  50: ["directory.permission", "The login lacks a right in the directory."],
  51: ["directory.busy", "The directory is busy."],
  52: ["directory.busy", "The directory is not available just now."],
};

/** Windows' number of the failure, in lower-case hexadecimal without leading zeros: a sign-in's `data`, else the first eight digits. */
export function subCodeOf({ diagnostic }: Pick<Result, "diagnostic">): string | undefined {
  const [, data] = /, data ([0-9a-f]{1,8})(?:,|\0|$)/i.exec(diagnostic) ?? [];
  const [, prefix] = /^([0-9a-f]{8}): /i.exec(diagnostic) ?? [];
  // 80090346 and its like stand before a `data` that says less.
  const found = prefix !== undefined && Object.hasOwn(SIGN_IN_SUB_CODES, shorten(prefix)) ? prefix : (data ?? prefix);
  return found === undefined ? undefined : shorten(found);
}

const shorten = (hex: string): string => hex.toLowerCase().replace(/^0+(?=.)/, "");

/** `state` is Windows' number in hexadecimal, for the journal's `source`: `49/52e`. */
export const detailOf = (result: Pick<Result, "code" | "diagnostic">): ErrorDetail => {
  const state = subCodeOf(result);
  return { number: result.code, ...(state === undefined ? {} : { state }) };
};

/** Any result but success, of a sign-in. */
export function signInError(result: Result): SallyportError {
  const row = result.code === 49 ? SIGN_IN_SUB_CODES[subCodeOf(result) ?? ""] : undefined;
  if (row !== undefined) return new SallyportError(...row, detailOf(result));
  if (result.code === 49 || result.code === 48) {
    return new SallyportError("connection.login_failed", "The directory refused the login.", detailOf(result));
  }
  return answerError(result);
}

/** Whether the directory took the password and refused the account: no failed attempt. */
export const tookPassword = ({ detail }: SallyportError): boolean =>
  detail.number === 49 && typeof detail.state === "string" && PASSWORD_WAS_RIGHT.has(detail.state);

/** Any result but success, of anything else. */
export function answerError(result: Result): SallyportError {
  const [code, message] = RESULTS[result.code] ?? (["directory.failed", "The directory refused the request."] as const);
  const hosts = result.code === 10 ? { hosts: hostsOf(result.referrals) } : {};
  return new SallyportError(code, message, { ...detailOf(result), ...hosts });
}

/** Of LDAP URLs [RFC 4516] nothing but the hosts: the rest names objects. */
export function hostsOf(urls: readonly string[]): string[] {
  const hosts = urls.map((url) => /^ldaps?:\/\/([A-Za-z0-9._:[\]-]{1,255})(?:[/?]|$)/i.exec(url)?.[1] ?? "?");
  return [...new Set(hosts)].slice(0, 16);
}

const TLS_CODES = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA)/;

const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "none";
};

/** A socket that did not come to be. @param step what was being tried */
export function connectError(error: unknown, step: "port" | "tls"): SallyportError {
  if (error instanceof SallyportError) return error;
  const reason = codeOf(error);
  if (reason.startsWith("ERR_SSL") || reason === "EPROTO") {
    return new SallyportError(
      "connection.tls",
      "What answers there does not speak TLS 1.2 or later.",
      { reason },
      error,
    );
  }
  if (TLS_CODES.test(reason)) {
    const message = "The domain controller's certificate is not trusted, or not for this name and time.";
    return new SallyportError("connection.tls", message, { reason }, error);
  }
  if (step === "tls") {
    const message = "The connection ended before TLS was agreed on: is this a port for LDAPS?";
    return new SallyportError("connection.tls", message, { reason }, error);
  }
  return new SallyportError("connection.unreachable", "The domain controller does not answer.", { reason }, error);
}
