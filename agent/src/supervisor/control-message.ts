/** What a text frame on the relay's control channel asks for. Pure: text in, action out; the channel obeys. */
import { parseJson } from "@sallyport/shared/json.ts";
import { z } from "zod";

/** Larger control frames are not parsed: the relay's own limit is 64 kB. */
export const MAX_CONTROL_BYTES: number = 128 * 1024;

const headers = z.record(z.string().max(256), z.union([z.string(), z.array(z.string())]));

const accept = z.object({
  accept: z.object({
    address: z.string().max(16_384),
    id: z.string().max(256),
    connectHeaders: headers,
  }),
});
const request = z.object({
  request: z.object({ id: z.string().max(256).optional(), address: z.string().optional() }),
});

export type ControlAction =
  | {
      readonly do: "accept";
      readonly address: string;
      readonly id: string;
      readonly headers: Readonly<Record<string, string | readonly string[]>>;
    }
  /** Answer an HTTP request at once: an unanswered one makes the relay wait 60 s and may get the listener blocked. */
  | { readonly do: "answer"; readonly frame: string }
  | { readonly do: "ignore"; readonly why: string };

/** Source: azure-docs `relay-hybrid-connections-protocol.md`, "Listener protocol". Never throws. */
export function onControlMessage(text: string): ControlAction {
  if (Buffer.byteLength(text) > MAX_CONTROL_BYTES) return { do: "ignore", why: "larger than 128 kB" };
  const message = parseJson(text);
  if (message === undefined) return { do: "ignore", why: "not JSON" };
  const accepted = accept.safeParse(message);
  if (accepted.success) {
    const { address, id, connectHeaders } = accepted.data.accept;
    return { do: "accept", address, id, headers: connectHeaders };
  }
  const requested = request.safeParse(message);
  if (requested.success && requested.data.request.id !== undefined) {
    return { do: "answer", frame: methodNotAllowed(requested.data.request.id) };
  }
  return { do: "ignore", why: requested.success ? "a large HTTP request without id" : "neither accept nor request" };
}

function methodNotAllowed(requestId: string): string {
  const response = {
    requestId,
    statusCode: 405,
    statusDescription: "Method Not Allowed",
    responseHeaders: { Allow: "GET" },
    body: false,
  };
  return JSON.stringify({ response });
}

/** The frame that renews the listener's token over the open channel; the relay answers only by closing, with 1008. */
export const renewTokenFrame = (token: string): string => JSON.stringify({ renewToken: { token } });
