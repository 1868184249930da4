import type { IncomingMessage } from "node:http";

/** The request limit of a function app where the setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT names no other: 100 MB. Source: "Azure Functions HTTP trigger", limits. */
export const MAX_REQUEST_BYTES = 104_857_600;

export type RequestBody = { bytes: Uint8Array } | { refused: 413 };

/**
 * Reads a request's body as the real host hands it on: one without Content-Length (chunked) arrives empty, one that
 * announces more than `maxBytes` is refused unread. Rejects when the client goes away.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > maxBytes) return { refused: 413 };
  if (length === 0) {
    request.resume();
    return { bytes: new Uint8Array() };
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return { bytes: Buffer.concat(chunks) };
}
