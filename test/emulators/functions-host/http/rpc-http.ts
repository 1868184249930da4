import type { RpcHttpCookie, RpcHttpData, RpcNullable } from "../rpc.ts";

/**
 * HTTP requests and answers in the shape that the worker's library exchanges with its host.
 * Source: azure-functions-host, GrpcMessageConversionExtensions; `@azure/functions`, `HttpRequest.ts`, `toRpcHttp.ts`.
 */

export type HttpRequestFacts = {
  method: string;
  /** Absolute, as the client sent it. */
  url: string;
  /** Names and values in turn, as `IncomingMessage.rawHeaders` has them. */
  rawHeaders: readonly string[];
  params: Readonly<Record<string, string>>;
  body: Uint8Array;
};

export type HttpAnswer = { status: number; headers: [string, string][]; body: Uint8Array };

/** Makes the worker's request. Repeated headers and query keys become one value, joined with commas. */
export function toRpcHttp(facts: HttpRequestFacts): RpcHttpData {
  const query = [...new URL(facts.url).searchParams];
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < facts.rawHeaders.length; index += 2) {
    headers.push([facts.rawHeaders[index]!.toLowerCase(), facts.rawHeaders[index + 1]!]);
  }
  return {
    method: facts.method,
    url: facts.url,
    nullableHeaders: joinRepeated(headers),
    nullableQuery: joinRepeated(query),
    nullableParams: joinRepeated(Object.entries(facts.params)),
    ...(facts.body.length > 0 ? { body: { bytes: facts.body } } : {}),
  };
}

function joinRepeated(pairs: Iterable<readonly [string, string]>): Record<string, RpcNullable<string>> {
  // Without a prototype, so that a header or key called __proto__ is a name like any other.
  const joined: Record<string, RpcNullable<string>> = Object.create(null);
  for (const [name, value] of pairs) {
    const known = joined[name];
    joined[name] = { value: known === undefined ? value : `${known.value},${value}` };
  }
  return joined;
}

/** The answer to send for what the worker returned; a function that returns nothing answers 204. */
export function fromRpcHttp(data: RpcHttpData | undefined): HttpAnswer {
  if (data === undefined) return { status: 204, headers: [], body: new Uint8Array() };
  const headers = Object.entries(data.headers ?? {}).filter(([name]) => !isHopByHop(name));
  const cookies = (data.cookies ?? []).map((cookie): [string, string] => ["set-cookie", formatCookie(cookie)]);
  const body = data.body?.bytes ?? Buffer.from(data.body?.string ?? data.body?.json ?? "");
  return { status: Number(data.statusCode ?? 200), headers: [...headers, ...cookies], body };
}

function isHopByHop(name: string): boolean {
  return /^(content-length|transfer-encoding|connection|keep-alive)$/i.test(name);
}

/** RFC 6265, section 4.1. */
export function formatCookie(cookie: RpcHttpCookie): string {
  const parts = [`${cookie.name ?? ""}=${encodeURIComponent(cookie.value ?? "")}`];
  if (cookie.maxAge) parts.push(`Max-Age=${cookie.maxAge.value}`);
  if (cookie.expires) parts.push(`Expires=${new Date(cookie.expires.value.seconds * 1000).toUTCString()}`);
  if (cookie.domain) parts.push(`Domain=${cookie.domain.value}`);
  if (cookie.path) parts.push(`Path=${cookie.path.value}`);
  if (cookie.secure?.value) parts.push("Secure");
  if (cookie.httpOnly?.value) parts.push("HttpOnly");
  if (cookie.sameSite === "lax") parts.push("SameSite=Lax");
  if (cookie.sameSite === "strict") parts.push("SameSite=Strict");
  if (cookie.sameSite === "explicitNone") parts.push("SameSite=None");
  return parts.join("; ");
}
