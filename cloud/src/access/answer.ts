/** What goes out by HTTP: JSON that no cache keeps, and errors as problem details (RFC 9457). */
import { randomUUID } from "node:crypto";
import type { HttpResponseInit, InvocationContext } from "@azure/functions";
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Problem } from "@sallyport/shared/schema/api.ts";

/** An answer as it is sent: kept as text, so that a repeat gets the same bytes. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A part of a file. */
export interface ByteReply extends Omit<Reply, "body"> {
  readonly body: Uint8Array;
}

const JSON_TYPE = { "content-type": "application/json", "cache-control": "no-store" };

export const reply = (value: unknown, { status = 200, headers = {} }: Partial<Omit<Reply, "body">> = {}): Reply => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(value),
});

/** JSON text that is there already: numbers in it may have more digits than JavaScript's. */
export const replyText = (body: string, { status = 200, headers = {} }: Partial<Omit<Reply, "body">> = {}): Reply => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  body,
});

/** Answers what `work` does; what it throws becomes problem details, and is logged where it is ours. */
export async function answering(
  context: InvocationContext,
  work: () => Promise<Reply | ByteReply>,
): Promise<HttpResponseInit> {
  try {
    return await work();
  } catch (thrown) {
    const instance = randomUUID();
    const error =
      thrown instanceof SallyportError ? thrown : new SallyportError("api.internal", "The orchestrator failed.");
    if (error.code === "api.internal" || ERRORS[error.code].http >= 500)
      context.error(`${instance} ${error.code}`, thrown);
    return {
      status: ERRORS[error.code].http,
      jsonBody: problemOf(error, instance),
      headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headersOf(error) },
    };
  }
}

/** RFC 9110 10.2.3 and 11.6.1. */
function headersOf({ code, detail }: SallyportError): Record<string, string> {
  if (ERRORS[code].http === 401) return { "www-authenticate": "Bearer" };
  const { seconds } = detail;
  return ERRORS[code].http === 429 && seconds !== undefined ? { "retry-after": String(seconds) } : {};
}

function problemOf(error: SallyportError, instance: string): Problem {
  const row = ERRORS[error.code];
  return {
    type: `urn:sallyport:${error.code}`,
    title: error.code,
    status: row.http,
    code: error.code,
    detail: error.message,
    advice: row.advice,
    instance: `urn:uuid:${instance}`,
    facts: { ...error.detail },
  };
}
