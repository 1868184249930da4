/** What went wrong on the way out, in words of ours: another end's text, a proxy's above all, may repeat a password. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";

export type NetworkCode = Extract<ErrorCode, `network.${string}`>;

export interface NetworkFault {
  readonly code: NetworkCode;
  readonly why: string;
}

/** OpenSSL's verdicts on a certificate (https://nodejs.org/api/tls.html#x509-certificate-error-codes), and Node's own. */
const CERTIFICATE =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|CRL_|ERROR_IN_CERT_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_|ERR_TLS_)/;
const HANDSHAKE = /^(ERR_SSL_|EPROTO)/;
/** The system's own words name an address and a port, nothing else. */
const SYSTEM = /^E[A-Z_]+$/;

/** @param error what a socket, a request or a library gave, which may be anything */
export function networkFault(error: unknown): NetworkFault {
  const { code, statusCode, message = "" } = errorLike(error);
  if (code === "ERR_PROXY_TUNNEL") return proxyFault(statusCode, message);
  if (CERTIFICATE.test(code)) return { code: "network.tls", why: `its certificate is refused (${code})` };
  if (HANDSHAKE.test(code)) return { code: "network.tls", why: `TLS 1.2 or newer could not be agreed on (${code})` };
  if (SYSTEM.test(code)) return { code: "network.unreachable", why: message === "" ? code : printable(message) };
  return { code: "network.unreachable", why: printable(message) };
}

/** Node's message quotes the proxy's status line, so only its number and Node's own words are kept. */
function proxyFault(status: unknown, message: string): NetworkFault {
  if (status === 407) return { code: "network.proxy_login", why: "the proxy refused the login, or wants one (407)" };
  if (typeof status === "number" && Number.isInteger(status)) {
    return { code: "network.proxy", why: `the proxy refused the tunnel (${status})` };
  }
  if (message.includes("timed out")) return { code: "network.proxy", why: "the proxy did not answer" };
  if (message.includes("ended")) return { code: "network.proxy", why: "the proxy closed the connection" };
  return { code: "network.proxy", why: "the proxy did not answer as one" };
}

function errorLike(error: unknown): { code: string; statusCode?: unknown; message: string } {
  if (typeof error !== "object" || error === null) return { code: "", message: String(error) };
  const { code, statusCode, message } = error as { code?: unknown; statusCode?: unknown; message?: unknown };
  return { code: typeof code === "string" ? code : "", statusCode, message: String(message ?? "") };
}

const printable = (text: string): string => text.replace(/\p{Cc}/gu, " ").slice(0, 200);
