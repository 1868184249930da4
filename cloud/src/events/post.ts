/**
 * One attempt to deliver an event: https only, to an address that was looked up once and may be called, without following
 * anything, with bounded time and answer.
 */
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Resolve } from "./lookup.ts";
import type { Address, Networks } from "./networks.ts";

export interface PostDeps {
  readonly resolve: Resolve;
  readonly networks: Networks;
  /** For one attempt, from the lookup to the answer's last byte. */
  readonly timeoutMs: number;
}

export type Delivery =
  | { readonly ok: true; readonly status: number }
  | {
      readonly ok: false;
      readonly code: Extract<ErrorCode, `webhook.${string}`>;
      readonly detail: string;
      /** What the receiver asked for. */
      readonly retryAfterMs?: number;
    };

export type WebhookCode = Extract<Delivery, { ok: false }>["code"];
const failed = (code: WebhookCode, detail: string): Extract<Delivery, { ok: false }> => ({ ok: false, code, detail });

/** Of the answer nothing is used, so more than this of it is not even read. */
const MAX_ANSWER_BYTES = 16_384;
const MAX_RETRY_AFTER_MS = 3600_000;

/**
 * The addresses of a URL's host if each of them may be called: one that may not, and the name is refused as a whole. Never throws;
 * `signal` ends it as a name that was not found.
 */
export async function addressesOf(
  { resolve, networks }: Pick<PostDeps, "resolve" | "networks">,
  url: URL,
  signal: AbortSignal,
): Promise<readonly Address[] | Extract<Delivery, { ok: false }>> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const family = isIP(host);
  let found: readonly Address[];
  try {
    found = family === 0 ? await resolve(host, signal) : [{ address: host, family }];
  } catch (thrown) {
    return failed("webhook.unreachable", `the name was not found (${codeOf(thrown)})`);
  }
  if (found.length === 0) return failed("webhook.unreachable", "the name has no address");
  if (!found.every(({ address }) => networks(address))) {
    return failed("webhook.address_refused", "the host has an address that is not public");
  }
  return found;
}

/** Sends one event. Never throws; `signal` ends it as a failure that may pass. */
export async function postEvent(
  deps: PostDeps,
  to: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Delivery> {
  const url = new URL(to);
  if (url.protocol !== "https:") return failed("webhook.address_refused", "only https is used");
  const deadline = AbortSignal.any([AbortSignal.timeout(deps.timeoutMs), signal]);
  const late = failed("webhook.timeout", `no answer within ${deps.timeoutMs / 1000} s`);
  const expired = Promise.withResolvers<Delivery>();
  const expire = () => expired.resolve(late);
  deadline.addEventListener("abort", expire, { once: true });
  try {
    const addresses = await Promise.race([addressesOf(deps, url, deadline), expired.promise]);
    if ("ok" in addresses) return addresses;
    return await Promise.race([send(url, addresses, body, headers, deadline), expired.promise]);
  } finally {
    deadline.removeEventListener("abort", expire);
  }
}

function send(
  url: URL,
  addresses: readonly Address[],
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Delivery> {
  const { promise, resolve } = Promise.withResolvers<Delivery>();
  const bytes = Buffer.from(body);
  // An agent of its own: no connection is shared, and no proxy of the environment stands between us and the address.
  const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 0 });
  const request = https.request(
    url,
    {
      agent,
      method: "POST",
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
      // The name stays in Host and SNI, and is what the certificate is checked for; but it is not looked up again, so
      // that no second answer of its DNS leads elsewhere.
      lookup: given(addresses),
      headers: {
        ...headers,
        "content-type": "application/cloudevents+json; charset=utf-8",
        "content-length": bytes.byteLength,
        "user-agent": "Sallyport-Webhook/1",
      },
      signal,
    },
    (response) => {
      let size = 0;
      const done = () => resolve(outcomeOf(response.statusCode ?? 0, response.headers["retry-after"]));
      response.on("data", (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size <= MAX_ANSWER_BYTES) return;
        done();
        request.destroy();
      });
      response.on("end", done);
      response.on("error", (error) =>
        resolve(failed("webhook.unreachable", `the answer broke off (${codeOf(error)})`)),
      );
    },
  );
  request.on("error", (error) => resolve(failed("webhook.unreachable", `no connection (${codeOf(error)})`)));
  request.end(bytes);
  return promise.finally(() => agent.destroy());
}

/** Gives exactly these addresses, whatever it is asked for. */
const given =
  (addresses: readonly Address[]): LookupFunction =>
  (_host, options, callback) => {
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };

function outcomeOf(status: number, retryAfter: string | undefined): Delivery {
  if (status >= 200 && status <= 299) return { ok: true, status };
  if (status >= 300 && status <= 399) return failed("webhook.redirected", `it answered ${status}`);
  const seconds = /^\d{1,6}$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined;
  const wish = seconds === undefined ? {} : { retryAfterMs: Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) };
  return { ok: false, code: "webhook.status", detail: `it answered ${status}`, ...wish };
}

/** A code, never a message: OpenSSL's hold parts of what the other side sent. */
function codeOf(thrown: unknown): string {
  const { code, name } = thrown as NodeJS.ErrnoException;
  return code ?? name ?? "unknown";
}
