/**
 * What every HTTP function goes through: who calls, whether they may, a body that fits its schema, and errors as problem
 * details (RFC 9457). The functions themselves state `authLevel: "anonymous"`, because this check is the only one.
 */
import { randomUUID } from "node:crypto";
import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Problem, Scope } from "@sallyport/shared/schema/api.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import type { z } from "zod";
import { authenticate, authorize, type KeyDeps, type Principal } from "./api-keys.ts";

export interface Call {
  readonly principal: Principal;
  /** The tenant of the address; the key was checked for it. */
  readonly tenant: string;
  /** A part of the address; a name unless another schema is given. @throws api.not_found for what cannot be one */
  param(name: string, schema?: z.ZodType<string>): string;
  body<T extends z.ZodType>(schema: T): Promise<z.infer<T>>;
}

/** Bytes of a request's body at most; bulk never passes through HTTP. */
const MAX_BODY_BYTES = 256 * 1024;

/** A handler for callers with an API key that has `scope` for the tenant in the address. */
export function guarded(
  keys: () => Promise<KeyDeps>,
  needed: Scope,
  handler: (call: Call) => Promise<unknown>,
): HttpHandler {
  return (request, context) =>
    answering(context, async () => {
      const principal = await authenticate(await keys(), request.headers.get("authorization"));
      const named = request.params.tenant;
      const tenant = named === undefined ? null : parse(nameId, named, "tenant");
      authorize(principal, needed, tenant);
      return await handler({
        principal,
        tenant: tenant ?? "",
        param: (name, schema = nameId) => {
          const parsed = schema.safeParse(request.params[name]);
          if (!parsed.success) throw new SallyportError("api.not_found", `There is no such ${name}.`);
          return parsed.data;
        },
        body: (schema) => readBody(request, schema),
      });
    });
}

/** A handler without an API key: agents sign what they send, and health is public. */
export function open(handler: (request: HttpRequest) => Promise<unknown>): HttpHandler {
  return (request, context) => answering(context, () => handler(request));
}

async function answering(context: InvocationContext, work: () => Promise<unknown>): Promise<HttpResponseInit> {
  try {
    return { status: 200, jsonBody: await work(), headers: { "cache-control": "no-store" } };
  } catch (thrown) {
    const instance = randomUUID();
    const error =
      thrown instanceof SallyportError ? thrown : new SallyportError("api.internal", "The orchestrator failed.");
    if (error.code === "api.internal" || ERRORS[error.code].http >= 500)
      context.error(`${instance} ${error.code}`, thrown);
    return {
      status: ERRORS[error.code].http,
      jsonBody: problemOf(error, instance),
      headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    };
  }
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

/** @throws api.too_large */
export async function readBytes(request: HttpRequest): Promise<Buffer> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  const bytes = declared > MAX_BODY_BYTES ? undefined : Buffer.from(await request.arrayBuffer());
  if (bytes === undefined || bytes.byteLength > MAX_BODY_BYTES) {
    throw new SallyportError("api.too_large", "The body is too large.", { maxBytes: MAX_BODY_BYTES });
  }
  return bytes;
}

/** @throws api.too_large, api.invalid */
export async function readBody<T extends z.ZodType>(request: HttpRequest, schema: T): Promise<z.infer<T>> {
  const bytes = await readBytes(request);
  let json: unknown;
  try {
    // Without a body: what a schema with nothing to demand takes.
    json = bytes.length === 0 ? undefined : JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new SallyportError("api.invalid", "The body is not JSON.");
  }
  return parse(schema, json, "body");
}

/** @throws api.invalid naming the fields, never their values */
export function parse<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.slice(0, 16).map((issue) => `${issue.path.join(".") || what}: ${issue.message}`);
  throw new SallyportError("api.invalid", `The ${what} does not fit.`, { fields });
}
