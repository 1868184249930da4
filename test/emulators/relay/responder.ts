import type { WebSocket } from "ws";
import { z } from "zod";

/** The answering half of HTTP mode: reads `response` messages, and the binary message after one that announces a body. */

const responseSchema = z.object({
  response: z.object({
    requestId: z.string(),
    statusCode: z.coerce.number().int().min(200).max(599), // the protocol's own example writes it as a string
    statusDescription: z.string().nullish(),
    responseHeaders: z.record(z.string(), z.string()).nullish(),
    body: z.boolean().nullish(),
  }),
});

export type HttpResponse = {
  readonly statusCode: number;
  readonly statusDescription: string | undefined;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
};

export type Responder = {
  /** Calls `answered` once, with the response to this request. */
  expect(requestId: string, answered: (response: HttpResponse) => void): void;
  forget(requestId: string): void;
  /** Takes a message if it is a response or a response's body. */
  take(data: Buffer, isBinary: boolean): boolean;
};

export function makeResponder(): Responder {
  const expected = new Map<string, (response: HttpResponse) => void>();
  let withBody: { requestId: string; response: HttpResponse } | undefined;

  function answer(requestId: string, response: HttpResponse) {
    const answered = expected.get(requestId);
    expected.delete(requestId);
    answered?.(response);
  }

  return {
    expect: (requestId, answered) => void expected.set(requestId, answered),
    forget: (requestId) => void expected.delete(requestId),
    take(data, isBinary) {
      if (isBinary) {
        if (!withBody) return false;
        answer(withBody.requestId, { ...withBody.response, body: data });
        withBody = undefined;
        return true;
      }
      const message = responseSchema.safeParse(parseJson(data));
      if (!message.success) return false;
      const { requestId, statusCode, statusDescription, responseHeaders, body } = message.data.response;
      const response: HttpResponse = {
        statusCode,
        statusDescription: statusDescription ?? undefined,
        headers: responseHeaders ?? {},
        body: Buffer.alloc(0),
      };
      if (body) withBody = { requestId, response };
      else answer(requestId, response);
      return true;
    },
  };
}

/** The value of a text message, or undefined if it is no JSON. */
export function parseJson(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return undefined;
  }
}

/** Feeds a rendezvous socket's messages to a responder of its own. */
export function respondOver(webSocket: WebSocket): Responder {
  const responder = makeResponder();
  webSocket.on("message", (data: Buffer, isBinary) => responder.take(data, isBinary));
  return responder;
}
