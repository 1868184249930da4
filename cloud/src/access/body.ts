/** What comes in by HTTP, checked: bodies of a bounded size that fit their schema. */
import type { HttpRequest } from "@azure/functions";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { z } from "zod";

/** Bytes of a request's body at most; bulk never passes through HTTP. */
export const MAX_BODY_BYTES: number = 256 * 1024;

/** @throws api.too_large */
export async function readBytes(request: HttpRequest): Promise<Buffer> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // A length may be missing, or wrong: reading ends where it is too much.
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

const tooLarge = () => new SallyportError("api.too_large", "The body is too large.", { maxBytes: MAX_BODY_BYTES });

/** @throws api.too_large, api.invalid */
export const readBody = async <T extends z.ZodType>(request: HttpRequest, schema: T): Promise<z.infer<T>> =>
  parseBody(await readBytes(request), schema);

/** @throws api.invalid */
export function parseBody<T extends z.ZodType>(bytes: Buffer, schema: T): z.infer<T> {
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
