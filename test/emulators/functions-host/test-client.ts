import type { IncomingHttpHeaders } from "node:http";
import { type RequestOptions, request } from "node:https";
import { buffer } from "node:stream/consumers";

/** What tests call the host with: node:https and the certificate authority of the run. */
export type Call = {
  method?: string;
  headers?: Record<string, string | string[]>;
  /** Sent with Content-Length, unless the headers say chunked. */
  body?: string | Uint8Array;
};

export type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer; text: string };

/** Sends one request on a connection of its own. Rejects when the connection breaks. */
export async function call(
  ca: string,
  url: string,
  { method = "GET", headers = {}, body }: Call = {},
): Promise<Answer> {
  const answered = Promise.withResolvers<Answer>();
  const options: RequestOptions = { method, headers, ca, agent: false };
  const sent = request(url, options, (response) => {
    const { statusCode = 0, headers } = response;
    buffer(response).then(
      (bytes) => answered.resolve({ status: statusCode, headers, body: bytes, text: bytes.toString("utf8") }),
      answered.reject,
    );
  });
  sent.on("error", answered.reject);
  sent.end(body);
  return await answered.promise;
}
